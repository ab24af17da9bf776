// The chat templates that go into .litertlm files, as Jinja text. They stand beside this file, each as a
// .jinja file, and are made part of the program when it is built.
#pragma once

#include <string_view>

namespace pith {

// Both want variables set in front of them: their first lines say which.
extern const std::string_view kQwen3ChatTemplate;  // qwen3_chat_template.jinja: tools, thinking
extern const std::string_view kChatmlTemplate;     // chatml_template.jinja

// The texts of the messages and nothing else, for models without a chat format.
extern const std::string_view kPlainTemplate;  // plain_template.jinja

}  // namespace pith
