#include "hub/hub_settings.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "hub/hub_test_folder.h"

namespace pith::hub {
namespace {

// The variables that matter, as the test says and no others; put back at the end.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& values) {
    for (const char* name : kNames) {
      const char* const old = std::getenv(name);
      if (old != nullptr) before_[name] = old;
      const auto it = values.find(name);
      it != values.end() ? setenv(name, it->second.c_str(), 1) : unsetenv(name);
    }
  }
  ~Environment() {
    for (const char* name : kNames) {
      const auto it = before_.find(name);
      it != before_.end() ? setenv(name, it->second.c_str(), 1) : unsetenv(name);
    }
  }

 private:
  static constexpr const char* kNames[] = {"HOME",
                                           "XDG_CACHE_HOME",
                                           "HF_HOME",
                                           "HF_HUB_CACHE",
                                           "HUGGINGFACE_HUB_CACHE",
                                           "HF_TOKEN",
                                           "HF_TOKEN_PATH",
                                           "HF_ENDPOINT",
                                           "HF_HUB_OFFLINE",
                                           "HF_HUB_DISABLE_SYMLINKS",
                                           "HF_HUB_DOWNLOAD_TIMEOUT",
                                           "PITH_RETRY_SECONDS"};
  std::map<std::string, std::string> before_;
};

TEST(HubSettings, TheCacheLiesWhereHuggingfaceHubHasIt) {
  const auto cache = [](const std::map<std::string, std::string>& values) {
    const Environment environment(values);
    return HubCacheFolder();
  };
  EXPECT_EQ(cache({}), "");
  EXPECT_EQ(cache({{"HOME", "/h"}}), "/h/.cache/huggingface/hub");
  EXPECT_EQ(cache({{"HOME", "/h"}, {"XDG_CACHE_HOME", "/c"}}), "/c/huggingface/hub");
  EXPECT_EQ(cache({{"HOME", "/h"}, {"XDG_CACHE_HOME", "/c"}, {"HF_HOME", "~/hf/"}}), "/h/hf/hub");
  EXPECT_EQ(cache({{"HF_HOME", "/hf"}, {"HF_HUB_CACHE", "/x"}}), "/x");
  EXPECT_EQ(cache({{"HF_HOME", "/hf"}, {"HUGGINGFACE_HUB_CACHE", "/x"}}), "/x");
}

TEST(HubSettings, TheTokenComesFromTheVariableOrTheFile) {
  const TestFolder folder;
  const auto token = [&](std::map<std::string, std::string> values) {
    values.emplace("HF_HOME", folder.path());
    const Environment environment(values);
    const Result<HubSettings> settings = SettingsFromEnvironment();
    return settings.ok() ? settings->token : settings.status().message();
  };
  EXPECT_EQ(token({}), "");
  WriteContent(folder / "token", "hf_file\n");
  WriteContent(folder / "other", "hf_other");
  EXPECT_EQ(token({}), "hf_file");
  EXPECT_EQ(token({{"HF_TOKEN_PATH", folder / "other"}}), "hf_other");
  EXPECT_EQ(token({{"HF_TOKEN", " hf_variable\r\n"}}), "hf_variable");
  // A second header line, control characters, a file that is something else.
  EXPECT_NE(token({{"HF_TOKEN", "a\r\nX-Evil: b"}}).find("HF_TOKEN: holds no token"), std::string::npos);
  EXPECT_NE(token({{"HF_TOKEN", "a\x7f"}}).find("HF_TOKEN: holds no token"), std::string::npos);
  WriteContent(folder / "token", std::string(2000, 'a'));
  EXPECT_NE(token({}).find(folder / "token: holds no token"), std::string::npos);
}

TEST(HubSettings, ValuesAreChecked) {
  const auto get = [](std::map<std::string, std::string> values) {
    values.emplace("HF_HOME", "/nowhere");
    const Environment environment(values);
    return SettingsFromEnvironment();
  };
  EXPECT_EQ(get({})->endpoint, "https://huggingface.co");
  EXPECT_EQ(get({{"HF_ENDPOINT", "http://127.0.0.1:80//"}})->endpoint, "http://127.0.0.1:80");
  for (const char* bad : {"ftp://x", "huggingface.co", "https://user@host", "https://x y", "https://x?y"}) {
    EXPECT_EQ(get({{"HF_ENDPOINT", bad}}).status().code(), StatusCode::kInvalidArgument) << bad;
  }
  for (const char* yes : {"1", "on", "YES", "True"}) EXPECT_TRUE(get({{"HF_HUB_OFFLINE", yes}})->offline) << yes;
  for (const char* no : {"", "0", "false", "no"}) EXPECT_FALSE(get({{"HF_HUB_OFFLINE", no}})->offline) << no;
  EXPECT_TRUE(get({{"HF_HUB_DISABLE_SYMLINKS", "1"}})->plain_files);
  EXPECT_FALSE(get({})->plain_files);
  EXPECT_EQ(get({{"PITH_RETRY_SECONDS", "0.25"}})->retry_seconds, 0.25);
  EXPECT_EQ(get({{"HF_HUB_DOWNLOAD_TIMEOUT", "7"}})->stall_seconds, 7);
  for (const char* bad : {"x", "-1", "1s", "nan", "3601"}) {
    EXPECT_EQ(get({{"PITH_RETRY_SECONDS", bad}}).status().code(), StatusCode::kInvalidArgument) << bad;
  }
}

}  // namespace
}  // namespace pith::hub
