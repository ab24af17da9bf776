// Dictionaries: their file, what they do for small inputs, and how they are chosen.
#include "codec/text_dictionary.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/file.h"
#include "codec/codec.h"
#include "codec/toy_model.h"

namespace pith {
namespace {

Bytes Encode(ToyModel& model, ByteSpan content, const TextDictionary* dictionary, uint32_t streams = 0) {
  MemorySource source(content);
  MemorySink sink;
  EncodeOptions options;
  options.allow_short = true;
  options.dictionary = dictionary;
  options.streams = streams;
  EXPECT_TRUE(EncodeArchive(&model, source, sink, options, {}).ok());
  return sink.bytes;
}

Result<Bytes> Decode(ToyModel& model, ByteSpan archive, const TextDictionary* dictionary) {
  MemorySource source(archive);
  MemorySink sink;
  const auto provide = [&](const ModelIdentity&) -> Result<TokenModel*> { return &model; };
  const Result<DecodeResult> result = DecodeArchives(provide, source, sink, {.dictionary = dictionary}, {});
  if (!result.ok()) return result.status();
  return sink.bytes;
}

std::string Record(int i) {
  return "{\"ticket\": " + std::to_string(1000 + i * 7919 % 9000) + ", \"state\": \"" + (i % 3 == 0 ? "open" : "closed") +
         "\", \"queue\": \"network operations\", \"text\": \"line " + std::to_string(i * 31 % 97) +
         " is down again\"}\n";
}

std::vector<ByteSpan> Spans(const std::vector<std::string>& samples) {
  std::vector<ByteSpan> spans;
  for (const std::string& s : samples) spans.push_back(AsBytes(s));
  return spans;
}

TEST(TextDictionary, FileComesBackAndDamageIsFound) {
  const TextDictionary dictionary(Bytes{'s', 'o', 'm', 'e'});
  Bytes file = dictionary.Serialize();
  const Result<TextDictionary> again = TextDictionary::Parse(file);
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(again->id(), dictionary.id());
  EXPECT_EQ(AsText(again->content()), "some");
  for (size_t n = 0; n < file.size(); ++n) EXPECT_FALSE(TextDictionary::Parse(ByteSpan(file).first(n)).ok()) << n;
  for (size_t i = 0; i < file.size(); ++i) {
    file[i] ^= 1;
    EXPECT_FALSE(TextDictionary::Parse(file).ok()) << i;
    file[i] ^= 1;
  }
  file.push_back(0);
  EXPECT_FALSE(TextDictionary::Parse(file).ok());
  file[4] = 9;
  EXPECT_EQ(TextDictionary::Parse(file).status().code(), StatusCode::kUnsupported);
}

TEST(TextDictionary, RoundTripsAtEverySizeAndMakesAlikeTextSmall) {
  ToyModel model;
  std::string text;
  for (int i = 0; i < 60; ++i) text += Record(i);
  const TextDictionary dictionary(Bytes(text.begin(), text.end()));
  const std::string record = Record(77);
  const Bytes with = Encode(model, AsBytes(record), &dictionary);
  EXPECT_LT(with.size() * 2, Encode(model, AsBytes(record), nullptr).size());
  for (const size_t n : {1, 2, 30, 400, 3000, 9000}) {  // beyond the dictionary's size another table is needed
    std::string content;
    for (int i = 100; content.size() < n; ++i) content += Record(i);
    content.resize(n);
    for (const uint32_t streams : {1u, 3u}) {
      const Bytes archive = Encode(model, AsBytes(content), &dictionary, streams);
      const Result<Bytes> back = Decode(model, archive, &dictionary);
      ASSERT_TRUE(back.ok()) << back.status().message();
      EXPECT_EQ(AsText(*back), content);
    }
  }
  EXPECT_EQ(Encode(model, AsBytes(record), &dictionary), with) << "nothing is left of what came between";
}

TEST(TextDictionary, MustBeTheOneThatTheArchiveNames) {
  ToyModel model;
  const std::string text = Record(1) + Record(2) + Record(3);
  const TextDictionary dictionary(Bytes(text.begin(), text.end()));
  const TextDictionary other(Bytes(text.begin(), text.end() - 1));
  const Bytes archive = Encode(model, AsBytes(Record(4)), &dictionary);
  for (const TextDictionary* wrong : {static_cast<const TextDictionary*>(nullptr), &other}) {
    const Result<Bytes> back = Decode(model, archive, wrong);
    EXPECT_EQ(back.status().code(), StatusCode::kWrongModel);
    EXPECT_NE(back.status().message().find("made with dictionary 0x"), std::string::npos) << back.status().message();
  }
  EXPECT_TRUE(Decode(model, Encode(model, AsBytes(Record(4)), nullptr), &other).ok()) << "one too many does no harm";
}

TEST(TextDictionary, TrainingTakesWhatSamplesShare) {
  std::mt19937_64 random(3);
  std::vector<std::string> samples;
  for (int i = 0; i < 40; ++i) {
    std::string noise;
    for (int k = 0; k < 2000; ++k) noise += static_cast<char>('!' + random() % 90);
    samples.push_back(noise + "\n" + Record(i) + Record(i + 1000));
  }
  const Result<TextDictionary> dictionary = TrainDictionary(Spans(samples), 2000);
  ASSERT_TRUE(dictionary.ok()) << dictionary.status().message();
  EXPECT_LE(dictionary->content().size(), 2000u);
  EXPECT_NE(AsText(dictionary->content()).find("\"queue\": \"network operations\""), std::string_view::npos);
  EXPECT_EQ(TrainDictionary(Spans(samples), 2000)->id(), dictionary->id()) << "the same each time";
}

TEST(TextDictionary, TrainingRefusesWhatHoldsNothing) {
  EXPECT_EQ(TrainDictionary({}, 1000).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(TrainDictionary(Spans({"too little"}), 1000).status().code(), StatusCode::kInvalidArgument);
  const std::vector<std::string> samples = {std::string(5000, 'x')};
  EXPECT_EQ(TrainDictionary(Spans(samples), 0).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(TrainDictionary(Spans(samples), kMaxDictionaryBytes + 1).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(TrainDictionary(Spans(samples), 1000).ok()) << "one sample is enough";
}

}  // namespace
}  // namespace pith
