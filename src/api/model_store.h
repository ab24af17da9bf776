// How pith names the files in its model folders.
#pragma once

#include <string>

namespace pith {

// "ORG/NAME@refs/pr/1" -> "ORG/NAME@refs--pr--1": a name of ModelFiles. "ORG/NAME@main" -> "ORG/NAME". Others
// as they are.
std::string StoreName(const std::string& name);

// The file beside a converted model that says which commit it was made from.
std::string CommitRecord(const std::string& path);

}  // namespace pith
