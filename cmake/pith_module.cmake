# pith_module(NAME SOURCES ... [PUBLIC targets...] [PRIVATE targets...])   static library pith_NAME of a folder of src/
# pith_test(NAME [SLOW] SOURCES ... LINK targets...)                       a GoogleTest program, found by ctest
# pith_fuzzer(NAME SOURCES ... LINK targets...)                            a libFuzzer program, or a replay of its corpus

add_library(pith_options INTERFACE)
target_compile_features(pith_options INTERFACE cxx_std_20)
# -ffp-contract=off: numeric_contract.md section 1. Not -march=native: kernels are chosen at run time.
# -Wno-missing-field-initializers: options are given as {.threads = 2}.
target_compile_options(pith_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
  -Wno-missing-field-initializers
  -ffp-contract=off -fno-fast-math)
target_include_directories(pith_options INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src> $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
  $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/generated>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(pith_options INTERFACE -Wno-restrict)  # false for "text" + std::string: GCC bug 105651
endif()
if(PITH_SANITIZE)
  target_compile_options(pith_options INTERFACE -fsanitize=${PITH_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(pith_options INTERFACE -fsanitize=${PITH_SANITIZE})
endif()
if(PITH_BUILD_FUZZERS)
  target_compile_options(pith_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

function(pith_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(pith_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(pith_${name} PUBLIC pith_options ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
endfunction()

# Modules that stand above the kernels, by layers.txt (lowest first): their results run through one instruction set.
set(pith_modules_above_kernels test_support)  # tests/support: a model
file(STRINGS ${CMAKE_SOURCE_DIR}/cmake/layers.txt lines REGEX "^[a-z]+:")
foreach(line ${lines})
  string(REGEX MATCHALL "[a-z]+" names ${line})
  list(POP_FRONT names module)
  foreach(below kernels ${pith_modules_above_kernels})
    if(below IN_LIST names)
      list(APPEND pith_modules_above_kernels ${module})
      break()
    endif()
  endforeach()
endforeach()

# The label of a test says by its parts where ./dev test runs it again: "isa" once for each instruction set, "serial"
# not under the thread sanitizer, "slow" under no sanitizer. One label: lists do not get through to ctest.
function(pith_test_label out name slow)
  set(suffix -serial)
  foreach(target ${ARGN})
    string(REGEX REPLACE "^pith_" "" module ${target})
    if(module IN_LIST pith_modules_above_kernels)
      set(suffix -isa)
    elseif(module STREQUAL kernels AND suffix STREQUAL -serial)
      set(suffix -isa-serial)
    endif()
  endforeach()
  if("${ARGN}" STREQUAL pith_base OR pith_hub IN_LIST ARGN)  # threads of their own
    set(suffix)
  endif()
  if(slow)
    string(APPEND suffix -slow)
  endif()
  set(${out} ${name}${suffix} PARENT_SCOPE)
endfunction()

function(pith_test name)
  if(NOT PITH_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(ARG "SLOW" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE pith_options GTest::gtest_main ${ARG_LINK})
  target_compile_definitions(${name} PRIVATE PITH_SOURCE_DIR="${CMAKE_SOURCE_DIR}" PITH_BINARY_DIR="${CMAKE_BINARY_DIR}")
  pith_test_label(label ${name} "${ARG_SLOW}" ${ARG_LINK})
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600 LABELS ${label})
endfunction()

# NAME_fuzzer in a fuzzing build; else NAME_replay, which tries tests/fuzz/corpus/NAME and damaged forms of it.
function(pith_fuzzer name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  if(PITH_BUILD_FUZZERS)
    add_executable(${name}_fuzzer ${ARG_SOURCES})
    target_link_options(${name}_fuzzer PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${name}_fuzzer PRIVATE pith_options ${ARG_LINK})
    add_dependencies(fuzzers ${name}_fuzzer)
  elseif(PITH_BUILD_TESTS)
    add_executable(${name}_replay ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.cc)
    target_link_libraries(${name}_replay PRIVATE pith_options ${ARG_LINK})
    add_test(NAME FuzzReplay.${name} COMMAND ${name}_replay ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    set_tests_properties(FuzzReplay.${name} PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77)
  endif()
endfunction()
if(PITH_BUILD_FUZZERS)
  add_custom_target(fuzzers)
endif()
