// HubSettings: what the environment says about the hub, by the variables that huggingface_hub knows.
#pragma once

#include <string>

#include "pith/status.h"

namespace pith::hub {

struct HubSettings {
  std::string endpoint = "https://huggingface.co";  // HF_ENDPOINT; without slash at the end
  std::string token;          // HF_TOKEN, else the token file (HF_TOKEN_PATH, $HF_HOME/token); empty: none
  std::string cache;          // HF_HUB_CACHE, else $HF_HOME/hub; empty where not even HOME is set
  bool offline = false;       // HF_HUB_OFFLINE
  bool plain_files = false;   // HF_HUB_DISABLE_SYMLINKS: no links in the cache, as where the file system has none
  double stall_seconds = 30;  // HF_HUB_DOWNLOAD_TIMEOUT: a connection that is silent for so long counts as broken
  // PITH_RETRY_SECONDS: the wait before the first retry; each further one doubles, up to 60 times this.
  double retry_seconds = 1;
};

// HF_HUB_CACHE, or what takes its place; empty where nothing says so.
std::string HubCacheFolder();

// kInvalidArgument names the variable: an endpoint that is no http URL, a token that is no word, a number that is none.
Result<HubSettings> SettingsFromEnvironment();

}  // namespace pith::hub
