#include "cli/model_finder.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace pith::cli {
namespace {

// What an archive of a model that is nowhere is told. No folder with models is looked into.
std::string MessageFor(const std::string& fingerprint) {
  for (const char* variable : {"HOME", "XDG_DATA_HOME", "XDG_DATA_DIRS"}) setenv(variable, "/nonexistent", 1);
  unsetenv("PITH_MODELS");
  Console console(0);
  ModelFinder finder(std::nullopt, ModelOptions{}, console);
  const Result<Model*> model = finder.ForArchive("", fingerprint);
  if (model.ok()) return "found";
  EXPECT_EQ(model.status().code(), StatusCode::kNotFound);
  return model.status().message();
}

TEST(ModelFinder, NamesTheVersionThatHadTheModelBuiltIn) {
  EXPECT_NE(MessageFor("a23d55447fa098c83f68ed0f0f4edb95").find("which pith 0.2.0 had built in"), std::string::npos);
  EXPECT_NE(MessageFor("3ef1c7ed21ad2c300e4dae7d9eeea883").find("which pith 0.4.0 had built in"), std::string::npos);
  EXPECT_NE(MessageFor("3ef1c7ed").find("which pith 0.4.0 had built in"), std::string::npos);
}

TEST(ModelFinder, FourDigitsNameItPerhaps) {
  const std::string message = MessageFor("3ef1");
  EXPECT_NE(message.find("fingerprint 3ef1.., perhaps the one that pith 0.4.0 had built in"), std::string::npos) << message;
}

TEST(ModelFinder, AModelThatNoVersionHad) {
  const std::string message = MessageFor("00112233445566778899aabbccddeeff");
  EXPECT_NE(message.find("which is not here"), std::string::npos) << message;
  EXPECT_EQ(message.find("pith 0."), std::string::npos) << message;
  EXPECT_NE(message.find("--model FILE"), std::string::npos) << message;
}

}  // namespace
}  // namespace pith::cli
