#include "jinja/jinja_parser.h"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <utility>

#include "jinja/jinja_lexer.h"
#include "jinja/jinja_strings.h"
#include "formats/json.h"

namespace pith::jinja {
namespace {

[[noreturn]] void FailAt(uint32_t at, const std::string& message) {
  throw Failure{InvalidArgument(message), at};
}

// Of a call or a macro: names among them are compared with each other.
constexpr size_t kMaxArguments = 255;

struct OperatorName {
  std::string_view text;
  Operator op;
};

class Parser {
 public:
  explicit Parser(std::string_view source) : tokens_(Tokenize(source)) {}

  Block Run() {
    Block body = Statements({});
    if (Now().kind != TokenKind::kEnd) FailExpected("the end of the template");
    return body;
  }

 private:
  // ---- Tokens -------------------------------------------------------------------------------------------

  const Token& Now() const { return tokens_[next_]; }
  const Token& Ahead() const { return tokens_[std::min(next_ + 1, tokens_.size() - 1)]; }
  void Skip() {
    if (Now().kind != TokenKind::kEnd) ++next_;
  }
  bool Is(TokenKind kind, std::string_view text) const { return Now().kind == kind && Now().text == text; }
  bool IsOperator(std::string_view text) const { return Is(TokenKind::kOperator, text); }
  bool IsName(std::string_view text) const { return Is(TokenKind::kName, text); }
  bool TakeOperator(std::string_view text) {
    if (!IsOperator(text)) return false;
    Skip();
    return true;
  }
  bool TakeName(std::string_view text) {
    if (!IsName(text)) return false;
    Skip();
    return true;
  }
  void ExpectOperator(std::string_view text) {
    if (!TakeOperator(text)) FailExpected("'" + std::string(text) + "'");
  }
  void Expect(TokenKind kind, std::string_view what) {
    if (Now().kind != kind) FailExpected("'" + std::string(what) + "'");
    Skip();
  }
  std::string ExpectName() {
    if (Now().kind != TokenKind::kName) FailExpected("a name");
    std::string name = Now().text;
    Skip();
    return name;
  }

  [[noreturn]] void FailExpected(const std::string& expected) const {
    std::string found;
    switch (Now().kind) {
      case TokenKind::kEnd:
        found = "the end of the template";
        break;
      case TokenKind::kText:
        found = "text";
        break;
      case TokenKind::kString:
        found = "the string " + Quoted(Now().text);
        break;
      default:
        found = "'" + Now().text + "'";
    }
    FailAt(Now().at, "found " + found + ", expected " + expected);
  }

  // ---- Depth: of this parser's own recursion, and of the trees it makes ---------------------------------

  class Nested {
   public:
    explicit Nested(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kMaxTemplateDepth) parser_.FailDepth(parser_.Now().at);
    }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;
    ~Nested() { --parser_.depth_; }

   private:
    Parser& parser_;
  };

  [[noreturn]] void FailDepth(uint32_t at) const {
    throw Failure{Unsupported("statements or expressions inside each other deeper than " +
                              std::to_string(kMaxTemplateDepth)),
                  at};
  }

  [[noreturn]] static void FailTooMany(uint32_t at) {
    throw Failure{Unsupported("more than " + std::to_string(kMaxArguments) + " arguments"), at};
  }

  ExpressionPtr Make(ExpressionKind kind, uint32_t at) const {
    auto e = std::make_unique<Expression>();
    e->kind = kind;
    e->at = at;
    return e;
  }

  // Sets the depth of `e`, whose parts are complete.
  ExpressionPtr Finish(ExpressionPtr e) const {
    uint32_t below = 0;
    const auto look = [&](const ExpressionPtr& part) {
      if (part != nullptr) below = std::max(below, part->depth);
    };
    for (const ExpressionPtr& part : e->operands) look(part);
    if (e->arguments != nullptr) {
      for (const ExpressionPtr& part : e->arguments->positional) look(part);
      for (const auto& keyword : e->arguments->keywords) look(keyword.second);
      look(e->arguments->more_positional);
      look(e->arguments->more_keywords);
    }
    e->depth = below + 1;
    if (e->depth > kMaxTemplateDepth) FailDepth(e->at);
    return e;
  }

  // ---- Statements ---------------------------------------------------------------------------------------

  using Names = std::initializer_list<std::string_view>;

  bool IsOneOf(Names names) const {
    return Now().kind == TokenKind::kName && std::find(names.begin(), names.end(), Now().text) != names.end();
  }

  // Up to a tag that begins with one of `ends`, whose name is then the current token; or to the end of the
  // template, if there are no `ends`.
  Block Statements(Names ends) {
    const Nested nested(*this);
    Block body;
    while (Now().kind != TokenKind::kEnd) {
      if (Now().kind == TokenKind::kText) {
        Statement& s = Add(body, StatementKind::kText);
        s.name = Now().text;
        Skip();
      } else if (Now().kind == TokenKind::kPrintBegin) {
        Statement& s = Add(body, StatementKind::kPrint);
        Skip();
        s.value = Tuple();
        Expect(TokenKind::kPrintEnd, "}}");
      } else {
        Expect(TokenKind::kTagBegin, "{%");
        if (IsOneOf(ends)) return body;
        body.push_back(Tag());
        Expect(TokenKind::kTagEnd, "%}");
      }
    }
    if (ends.size() > 0) {
      std::string expected;
      for (const std::string_view end : ends)
        expected += (expected.empty() ? "{% " : " or {% ") + std::string(end) + " %}";
      FailExpected(expected);
    }
    return body;
  }

  Statement& Add(Block& body, StatementKind kind) const {
    Statement& s = body.emplace_back();
    s.kind = kind;
    s.at = Now().at;
    return s;
  }

  Block BodyUntil(Names ends) {
    Expect(TokenKind::kTagEnd, "%}");
    return Statements(ends);
  }

  // The same, with names that break and continue do not reach out of.
  Block ClosedBody(std::string_view end) {
    const size_t outer = std::exchange(loops_, 0);
    Block body = BodyUntil({end});
    Skip();
    loops_ = outer;
    return body;
  }

  Statement Tag() {
    Statement s;
    s.at = Now().at;
    const std::string name = ExpectName();
    if (name == "if") {
      If(s);
    } else if (name == "for") {
      For(s);
    } else if (name == "set") {
      Set(s);
    } else if (name == "macro") {
      Macro(s);
    } else if (name == "call") {
      CallBlock(s);
    } else if (name == "filter") {
      s.kind = StatementKind::kFilterBlock;
      s.filters.push_back(Filter(nullptr));
      while (TakeOperator("|")) s.filters.push_back(Filter(nullptr));
      s.body = ClosedBody("endfilter");
    } else if (name == "with") {
      With(s);
    } else if (name == "generation") {
      s.kind = StatementKind::kScope;
      s.body = ClosedBody("endgeneration");
    } else if (name == "break" || name == "continue") {
      if (loops_ == 0) FailAt(s.at, "found {% " + name + " %} outside of a loop");
      s.kind = name == "break" ? StatementKind::kBreak : StatementKind::kContinue;
    } else {
      FailAt(s.at, "found {% " + name +
                       " %}, expected one of if, for, set, macro, call, filter, with, generation, " +
                       "break, continue, raw");
    }
    return s;
  }

  void If(Statement& s) {
    s.kind = StatementKind::kIf;
    while (true) {
      Branch branch;
      branch.condition = Tuple(false);
      branch.body = BodyUntil({"elif", "else", "endif"});
      s.branches.push_back(std::move(branch));
      if (TakeName("elif")) continue;
      if (TakeName("else")) s.otherwise = BodyUntil({"endif"});
      Skip();
      return;
    }
  }

  void For(Statement& s) {
    s.kind = StatementKind::kFor;
    s.targets.push_back(AssignTarget(false));
    if (!TakeName("in")) FailExpected("'in'");
    s.value = Tuple(false);
    if (TakeName("if")) s.condition = Condition();
    if (IsName("recursive"))
      FailAt(Now().at, "found 'recursive': loops that call themselves are not supported");
    ++loops_;
    s.body = BodyUntil({"endfor", "else"});
    --loops_;
    if (TakeName("else")) s.otherwise = BodyUntil({"endfor"});
    Skip();
  }

  void Set(Statement& s) {
    s.targets.push_back(AssignTarget(true));
    if (TakeOperator("=")) {
      s.kind = StatementKind::kSet;
      s.value = Tuple();
      return;
    }
    s.kind = StatementKind::kSetBlock;
    while (TakeOperator("|")) s.filters.push_back(Filter(nullptr));
    s.body = ClosedBody("endset");
  }

  void With(Statement& s) {
    s.kind = StatementKind::kWith;
    while (Now().kind != TokenKind::kTagEnd) {
      if (!s.targets.empty()) ExpectOperator(",");
      s.targets.push_back(OneTarget(false));
      ExpectOperator("=");
      s.values.push_back(Condition());
    }
    s.body = BodyUntil({"endwith"});
    Skip();
  }

  void Macro(Statement& s) {
    s.kind = StatementKind::kMacro;
    s.name = ExpectName();
    SignatureAndBody(s, "endmacro");
  }

  void CallBlock(Statement& s) {
    s.kind = StatementKind::kCallBlock;
    s.name = "caller";
    Signature signature;
    if (IsOperator("(")) signature.parameters = Parameters();
    s.value = Condition();
    if (s.value->kind != ExpressionKind::kCall)
      FailAt(s.value->at, "found no call, expected {% call name(..) %}");
    Body(s, signature, "endcall");
  }

  void SignatureAndBody(Statement& s, std::string_view end) {
    Signature signature;
    signature.parameters = Parameters();
    Body(s, signature, end);
  }

  void Body(Statement& s, Signature& signature, std::string_view end) {
    Signature* const outer = std::exchange(signature_, &signature);
    s.body = ClosedBody(end);
    signature_ = outer;
    s.signature = std::move(signature);
  }

  std::vector<Parameter> Parameters() {
    std::vector<Parameter> parameters;
    ExpectOperator("(");
    while (!IsOperator(")")) {
      if (!parameters.empty()) ExpectOperator(",");
      if (IsOperator(")")) break;
      const uint32_t at = Now().at;
      if (parameters.size() >= kMaxArguments) FailTooMany(at);
      Parameter p;
      p.name = ExpectName();
      for (const Parameter& other : parameters) {
        if (other.name == p.name) FailAt(at, "found the parameter '" + p.name + "' twice");
      }
      if (TakeOperator("=")) {
        p.fallback = Condition();
      } else if (!parameters.empty() && parameters.back().fallback != nullptr) {
        FailAt(at, "found a parameter without default behind one with, expected a default");
      }
      parameters.push_back(std::move(p));
    }
    ExpectOperator(")");
    return parameters;
  }

  Target OneTarget(bool with_member) {
    const Nested nested(*this);
    Target t;
    t.at = Now().at;
    if (TakeOperator("(")) {
      t = AssignTarget(with_member);
      ExpectOperator(")");
      return t;
    }
    t.name = ExpectName();
    for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
      if (t.name == constant) FailAt(t.at, "found '" + t.name + "', expected a name to assign to");
    }
    if (with_member && TakeOperator(".")) {
      t.form = Target::Form::kMember;
      t.member = ExpectName();
    }
    return t;
  }

  Target AssignTarget(bool with_member) {
    Target first = OneTarget(with_member);
    if (!IsOperator(",")) return first;
    Target tuple;
    tuple.form = Target::Form::kTuple;
    tuple.at = first.at;
    tuple.parts.push_back(std::move(first));
    while (TakeOperator(",")) {
      if (IsName("in") || IsOperator("=") || IsOperator(")") || Now().kind == TokenKind::kTagEnd) break;
      tuple.parts.push_back(OneTarget(with_member));
    }
    return tuple;
  }

  // ---- Expressions, loosest first -----------------------------------------------------------------------

  // One expression, or several with commas between them. in_parentheses: () is one, too.
  ExpressionPtr Tuple(bool with_conditional = true, bool in_parentheses = false) {
    ExpressionPtr tuple = Make(ExpressionKind::kTuple, Now().at);
    bool is_tuple = false;
    while (!IsTupleEnd()) {
      tuple->operands.push_back(with_conditional ? Condition() : Or());
      if (!TakeOperator(",")) break;
      is_tuple = true;
    }
    if (is_tuple || (tuple->operands.empty() && in_parentheses)) return Finish(std::move(tuple));
    if (tuple->operands.empty()) FailExpected("an expression");
    return std::move(tuple->operands[0]);
  }

  bool IsTupleEnd() const {
    return Now().kind == TokenKind::kPrintEnd || Now().kind == TokenKind::kTagEnd || IsOperator(")") ||
           IsName("recursive");
  }

  ExpressionPtr Condition() {
    const Nested nested(*this);
    ExpressionPtr e = Or();
    while (IsName("if")) {
      ExpressionPtr c = Make(ExpressionKind::kConditional, Now().at);
      Skip();
      c->operands.push_back(std::move(e));
      c->operands.push_back(Or());
      c->operands.push_back(TakeName("else") ? Condition() : nullptr);
      e = Finish(std::move(c));
    }
    return e;
  }

  ExpressionPtr Or() { return Chain<&Parser::And>(ExpressionKind::kOr, "or", TokenKind::kName); }
  ExpressionPtr And() { return Chain<&Parser::Not>(ExpressionKind::kAnd, "and", TokenKind::kName); }
  ExpressionPtr Concatenation() {
    return Chain<&Parser::Product>(ExpressionKind::kConcatenate, "~", TokenKind::kOperator);
  }

  // Operands with one operator between them, as one node: a long chain is not deep.
  template <ExpressionPtr (Parser::*kOperand)()>
  ExpressionPtr Chain(ExpressionKind kind, std::string_view op, TokenKind token) {
    ExpressionPtr first = (this->*kOperand)();
    if (!Is(token, op)) return first;
    ExpressionPtr chain = Make(kind, Now().at);
    chain->operands.push_back(std::move(first));
    while (Is(token, op)) {
      Skip();
      chain->operands.push_back((this->*kOperand)());
    }
    return Finish(std::move(chain));
  }

  ExpressionPtr Not() {
    if (!IsName("not")) return Comparison();
    const Nested nested(*this);
    ExpressionPtr e = Make(ExpressionKind::kNot, Now().at);
    Skip();
    e->operands.push_back(Not());
    return Finish(std::move(e));
  }

  ExpressionPtr Comparison() {
    ExpressionPtr first = Sum();
    ExpressionPtr chain = Make(ExpressionKind::kCompare, Now().at);
    chain->operands.push_back(std::move(first));
    while (const std::optional<Operator> op = TakeComparison()) {
      chain->operators.push_back(*op);
      chain->operands.push_back(Sum());
    }
    if (chain->operators.empty()) return std::move(chain->operands[0]);
    return Finish(std::move(chain));
  }

  std::optional<Operator> TakeComparison() {
    static constexpr OperatorName kNames[] = {{"==", Operator::kEqual},  {"!=", Operator::kNotEqual},
                                              {"<", Operator::kLess},    {"<=", Operator::kLessEqual},
                                              {">", Operator::kGreater}, {">=", Operator::kGreaterEqual}};
    for (const OperatorName& n : kNames) {
      if (TakeOperator(n.text)) return n.op;
    }
    if (TakeName("in")) return Operator::kIn;
    if (IsName("not") && Ahead().kind == TokenKind::kName && Ahead().text == "in") {
      Skip();
      Skip();
      return Operator::kNotIn;
    }
    return std::nullopt;
  }

  ExpressionPtr Sum() {
    static constexpr OperatorName kNames[] = {{"+", Operator::kAdd}, {"-", Operator::kSubtract}};
    return Arithmetic<&Parser::Concatenation>(kNames);
  }
  ExpressionPtr Product() {
    static constexpr OperatorName kNames[] = {{"*", Operator::kMultiply},
                                              {"/", Operator::kDivide},
                                              {"//", Operator::kFloorDivide},
                                              {"%", Operator::kModulo}};
    return Arithmetic<&Parser::Power>(kNames);
  }
  ExpressionPtr Power() {  // from left to right, unlike Python's
    static constexpr OperatorName kNames[] = {{"**", Operator::kPower}};
    return Arithmetic<&Parser::Unary>(kNames);
  }

  template <ExpressionPtr (Parser::*kOperand)(), size_t kN>
  ExpressionPtr Arithmetic(const OperatorName (&names)[kN]) {
    ExpressionPtr chain = Make(ExpressionKind::kArithmetic, Now().at);
    chain->operands.push_back((this->*kOperand)());
    while (true) {
      const auto name =
          std::find_if(names, names + kN, [&](const OperatorName& n) { return IsOperator(n.text); });
      if (name == names + kN) break;
      if (chain->operators.empty()) chain->at = Now().at;
      Skip();
      chain->operators.push_back(name->op);
      chain->operands.push_back((this->*kOperand)());
    }
    if (chain->operators.empty()) return std::move(chain->operands[0]);
    return Finish(std::move(chain));
  }

  ExpressionPtr Unary() { return UnaryOf(true); }

  // -x|f is (-x)|f.
  ExpressionPtr UnaryOf(bool with_filters) {
    const Nested nested(*this);
    ExpressionPtr e;
    if (IsOperator("-") || IsOperator("+")) {
      e = Make(IsOperator("-") ? ExpressionKind::kNegative : ExpressionKind::kPositive, Now().at);
      Skip();
      e->operands.push_back(UnaryOf(false));
      e = Finish(std::move(e));
    } else {
      e = Primary();
    }
    e = Postfix(std::move(e));
    return with_filters ? Filters(std::move(e)) : std::move(e);
  }

  ExpressionPtr Primary() {
    const Token& token = Now();
    switch (token.kind) {
      case TokenKind::kName:
        return Name();
      case TokenKind::kString: {
        std::string text;
        for (; Now().kind == TokenKind::kString; Skip()) text += Now().text;
        return Constant(token.at, MakeText(nullptr, Marked(std::move(text), false)));
      }
      case TokenKind::kInteger: {
        const std::optional<int64_t> value = ParseInteger(token.text, 0);
        if (!value) FailAt(token.at, "found the integer " + token.text + ", expected one of 64 bits");
        Skip();
        return Constant(token.at, Value::OfInteger(*value));
      }
      case TokenKind::kFloat: {
        const std::optional<double> value = ParseFloat(token.text);
        if (!value) FailExpected("a number");
        Skip();
        return Constant(token.at, Value::OfFloat(*value));
      }
      default:
        break;
    }
    if (TakeOperator("(")) {
      ExpressionPtr e = Tuple(true, true);
      ExpectOperator(")");
      return e;
    }
    if (IsOperator("[")) return ListDisplay();
    if (IsOperator("{")) return DictDisplay();
    FailExpected("an expression");
  }

  ExpressionPtr Constant(uint32_t at, Value value) const {
    ExpressionPtr e = Make(ExpressionKind::kConstant, at);
    e->constant = std::move(value);
    return e;
  }

  ExpressionPtr Name() {
    const uint32_t at = Now().at;
    const std::string name = ExpectName();
    if (name == "true" || name == "True") return Constant(at, Value::OfBool(true));
    if (name == "false" || name == "False") return Constant(at, Value::OfBool(false));
    if (name == "none" || name == "None") return Constant(at, Value::OfNone());
    if (signature_ != nullptr) {
      signature_->uses_varargs |= name == "varargs";
      signature_->uses_kwargs |= name == "kwargs";
      signature_->uses_caller |= name == "caller";
    }
    ExpressionPtr e = Make(ExpressionKind::kName, at);
    e->name = name;
    return e;
  }

  ExpressionPtr ListDisplay() {
    ExpressionPtr e = Make(ExpressionKind::kList, Now().at);
    Skip();
    while (!IsOperator("]")) {
      if (!e->operands.empty()) ExpectOperator(",");
      if (IsOperator("]")) break;
      e->operands.push_back(Condition());
    }
    Skip();
    return Finish(std::move(e));
  }

  ExpressionPtr DictDisplay() {
    ExpressionPtr e = Make(ExpressionKind::kDict, Now().at);
    Skip();
    while (!IsOperator("}")) {
      if (!e->operands.empty()) ExpectOperator(",");
      if (IsOperator("}")) break;
      e->operands.push_back(Condition());
      ExpectOperator(":");
      e->operands.push_back(Condition());
    }
    Skip();
    return Finish(std::move(e));
  }

  ExpressionPtr Postfix(ExpressionPtr e) {
    while (true) {
      if (IsOperator(".")) {
        e = Member(std::move(e));
      } else if (IsOperator("[")) {
        e = Subscript(std::move(e));
      } else if (IsOperator("(")) {
        e = Call(std::move(e));
      } else {
        return e;
      }
    }
  }

  ExpressionPtr Filters(ExpressionPtr e) {
    while (true) {
      if (TakeOperator("|")) {
        e = Filter(std::move(e));
      } else if (IsName("is")) {
        e = Test(std::move(e));
      } else if (IsOperator("(")) {
        e = Call(std::move(e));
      } else {
        return e;
      }
    }
  }

  ExpressionPtr Member(ExpressionPtr object) {
    const uint32_t at = Now().at;
    Skip();
    if (Now().kind == TokenKind::kInteger) {
      ExpressionPtr e = Make(ExpressionKind::kItem, at);
      e->operands.push_back(std::move(object));
      e->operands.push_back(Primary());
      return Finish(std::move(e));
    }
    ExpressionPtr e = Make(ExpressionKind::kAttribute, at);
    e->name = ExpectName();
    e->operands.push_back(std::move(object));
    return Finish(std::move(e));
  }

  ExpressionPtr Subscript(ExpressionPtr object) {
    ExpressionPtr e = Make(ExpressionKind::kItem, Now().at);
    Skip();
    e->operands.push_back(std::move(object));
    ExpressionPtr first = IsOperator(":") ? nullptr : Condition();
    if (first != nullptr && !IsOperator(":")) {
      e->operands.push_back(std::move(first));
    } else {
      e->kind = ExpressionKind::kSlice;
      e->operands.push_back(std::move(first));
      for (int part = 0; part < 2; ++part) {
        const bool is_there = TakeOperator(":") && !IsOperator(":") && !IsOperator("]");
        e->operands.push_back(is_there ? Condition() : nullptr);
      }
    }
    ExpectOperator("]");
    return Finish(std::move(e));
  }

  ExpressionPtr Call(ExpressionPtr callee) {
    ExpressionPtr e = Make(ExpressionKind::kCall, Now().at);
    e->operands.push_back(std::move(callee));
    e->arguments = ParseArguments();
    return Finish(std::move(e));
  }

  std::unique_ptr<CallArguments> ParseArguments() {
    auto arguments = std::make_unique<CallArguments>();
    ExpectOperator("(");
    bool is_first = true;
    while (!IsOperator(")")) {
      if (!is_first) ExpectOperator(",");
      if (IsOperator(")") && !is_first) break;
      is_first = false;
      Argument(*arguments);
    }
    Skip();
    return arguments;
  }

  void Argument(CallArguments& arguments) {
    const uint32_t at = Now().at;
    if (arguments.positional.size() + arguments.keywords.size() >= kMaxArguments) FailTooMany(at);
    if (arguments.more_keywords != nullptr) FailExpected("')' behind **");
    if (TakeOperator("**")) {
      arguments.more_keywords = Condition();
    } else if (TakeOperator("*")) {
      if (arguments.more_positional != nullptr) FailAt(at, "found a second *, expected an argument");
      arguments.more_positional = Condition();
    } else if (Now().kind == TokenKind::kName && Ahead().kind == TokenKind::kOperator &&
               Ahead().text == "=") {
      std::string name = ExpectName();
      for (const auto& other : arguments.keywords) {
        if (other.first == name) FailAt(at, "found the argument '" + name + "' twice");
      }
      Skip();
      arguments.keywords.emplace_back(std::move(name), Condition());
    } else {
      if (!arguments.keywords.empty() || arguments.more_positional != nullptr)
        FailExpected("an argument with a name");
      arguments.positional.push_back(Condition());
    }
  }

  // Behind the bar.
  ExpressionPtr Filter(ExpressionPtr input) {
    ExpressionPtr e = Make(ExpressionKind::kFilter, Now().at);
    e->name = ExpectName();
    e->operands.push_back(std::move(input));
    e->arguments = IsOperator("(") ? ParseArguments() : std::make_unique<CallArguments>();
    return Finish(std::move(e));
  }

  ExpressionPtr Test(ExpressionPtr input) {
    Skip();
    const uint32_t at = Now().at;
    const bool is_negated = TakeName("not");
    ExpressionPtr e = Make(ExpressionKind::kTest, Now().at);
    e->name = ExpectName();
    e->operands.push_back(std::move(input));
    if (IsOperator("(")) {
      e->arguments = ParseArguments();
    } else {
      e->arguments = std::make_unique<CallArguments>();
      if (IsName("is")) FailExpected("no second test");
      if (BeginsTestArgument()) e->arguments->positional.push_back(Postfix(Primary()));
    }
    e = Finish(std::move(e));
    if (!is_negated) return e;
    ExpressionPtr negated = Make(ExpressionKind::kNot, at);
    negated->operands.push_back(std::move(e));
    return Finish(std::move(negated));
  }

  bool BeginsTestArgument() const {
    switch (Now().kind) {
      case TokenKind::kName:
        return Now().text != "else" && Now().text != "or" && Now().text != "and";
      case TokenKind::kString:
      case TokenKind::kInteger:
      case TokenKind::kFloat:
        return true;
      default:
        return IsOperator("[") || IsOperator("{");
    }
  }

  std::vector<Token> tokens_;
  size_t next_ = 0;
  size_t depth_ = 0;
  size_t loops_ = 0;                // that break and continue reach
  Signature* signature_ = nullptr;  // of the innermost macro or call block
};

}  // namespace

Block ParseTemplate(std::string_view source) { return Parser(source).Run(); }

}  // namespace pith::jinja
