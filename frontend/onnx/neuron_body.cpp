// A neuron's body is read by evaluating it: every value becomes an expression over the function's inputs, in one normal
// form with equal expressions shared. Then
//   spike  has to be 1 where u > v_threshold (or >=), else 0, with u = v*beta + current, or v + current for IF;
//   v_next has to be u where the comparison is false, and where it is true tells the reset: 0, u - v_threshold, v_reset, u.
// Substituting the comparison's two outcomes into v_next covers all ways to write a reset: where(), u*(1-spike), …
#include "frontend/onnx/neuron_body.h"
#include "frontend/onnx/node.h"

#include "llvm/ADT/DenseMap.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <cmath>
#include <map>
#include <tuple>

using llvm::StringRef;

namespace lasnn::onnx_import {

std::optional<NeuronModel> neuronFromName(StringRef name) {
  NeuronModel model;
  auto [kind, reset] = name.split('_');
  if (kind != "LIF" && kind != "IF") return std::nullopt;
  model.leaky = kind == "LIF";
  std::optional<snn::Reset> parsed = snn::symbolizeReset(reset);
  if (!parsed) return std::nullopt;
  model.reset = *parsed;
  return model;
}

namespace {

constexpr int kMaxNodes = 256; // of one body: bounds recursion too
constexpr int kCurrent = 0, kV = 1, kThreshold = 2, kReset = 3;
const char *const inputNames[] = {"current", "v", "v_threshold", "v_reset"};

enum class Kind { Input, Constant, Bool, Beta, Add, Sub, Mul, Gt, Ge, Select };

/// Expressions are numbers; an equal expression has an equal number.
class Expressions {
public:
  struct Expr {
    Kind kind;
    int input;   // Input
    float value; // Constant; Bool: 0 or 1
    int a, b, c;
    std::string node; // the node that made it first
    bool isBool() const { return kind == Kind::Bool || kind == Kind::Gt || kind == Kind::Ge || (kind == Kind::Select && boolean); }
    bool boolean = false;
  };
  std::string node; ///< being evaluated

  const Expr &operator[](int id) const { return all[size_t(id)]; }
  int input(int index) { return make({Kind::Input, index, 0, -1, -1, -1, node}); }
  int constant(float value) { return make({Kind::Constant, -1, value == 0 ? 0.f : value, -1, -1, -1, node}); }
  int boolean(bool value) { return make({Kind::Bool, -1, value ? 1.f : 0.f, -1, -1, -1, node}); }
  int beta() { return make({Kind::Beta, -1, 0, -1, -1, -1, node}); }

  bool is(int id, float value) const { return all[size_t(id)].kind == Kind::Constant && all[size_t(id)].value == value; }

  int binary(Kind kind, int a, int b) {
    if (kind == Kind::Add && is(a, 0)) return b;
    if ((kind == Kind::Add || kind == Kind::Sub) && is(b, 0)) return a;
    if (kind == Kind::Sub && a == b) return constant(0);
    if (kind == Kind::Mul && (is(a, 0) || is(b, 0))) return constant(0);
    if (kind == Kind::Mul && is(a, 1)) return b;
    if (kind == Kind::Mul && is(b, 1)) return a;
    if (all[size_t(a)].kind == Kind::Constant && all[size_t(b)].kind == Kind::Constant) {
      float x = all[size_t(a)].value, y = all[size_t(b)].value;
      switch (kind) {
      case Kind::Add: return constant(x + y);
      case Kind::Sub: return constant(x - y);
      case Kind::Mul: return constant(x * y);
      case Kind::Gt: return boolean(x > y);
      case Kind::Ge: return boolean(x >= y);
      default: break;
      }
    }
    if (kind == Kind::Gt || kind == Kind::Ge) {
      // x - y > 0 is x > y, exactly so with gradual underflow.
      if (is(b, 0) && all[size_t(a)].kind == Kind::Sub) return binary(kind, int(all[size_t(a)].a), int(all[size_t(a)].b));
      if (is(a, 0) && all[size_t(b)].kind == Kind::Sub) return binary(kind, int(all[size_t(b)].b), int(all[size_t(b)].a));
    }
    if ((kind == Kind::Add || kind == Kind::Mul) && a > b) std::swap(a, b); // IEEE addition and multiplication commute
    return make({kind, -1, 0, a, b, -1, node});
  }
  int select(int condition, int yes, int no) {
    if (all[size_t(condition)].kind == Kind::Bool) return all[size_t(condition)].value != 0 ? yes : no;
    if (yes == no) return yes;
    Expr expr{Kind::Select, -1, 0, condition, yes, no, node};
    expr.boolean = all[size_t(yes)].isBool() || all[size_t(no)].isBool();
    return make(std::move(expr));
  }
  int toFloat(int id) { return all[size_t(id)].isBool() ? select(id, constant(1), constant(0)) : id; }
  /// Truth of a spike: the comparison behind it. -1 for other floats.
  int toBool(int id) {
    const Expr &expr = all[size_t(id)];
    if (expr.isBool()) return id;
    if (expr.kind == Kind::Constant) return boolean(expr.value != 0);
    if (expr.kind == Kind::Select && is(expr.b, 1) && is(expr.c, 0)) return expr.a;
    return -1;
  }
  /// `id` with the boolean `condition` known.
  int assume(int id, int condition, bool value) {
    llvm::DenseMap<int, int> done;
    return assume(id, condition, value, done);
  }
  std::string text(int id, int depth = 0) const {
    const Expr &e = all[size_t(id)];
    auto two = [&](const char *op) { return fmt::format("({} {} {})", text(e.a, depth + 1), op, text(e.b, depth + 1)); };
    if (depth > 4) return "…";
    switch (e.kind) {
    case Kind::Input: return inputNames[e.input];
    case Kind::Constant: return fmt::format("{}", e.value);
    case Kind::Bool: return e.value != 0 ? "true" : "false";
    case Kind::Beta: return "beta";
    case Kind::Add: return two("+");
    case Kind::Sub: return two("-");
    case Kind::Mul: return two("*");
    case Kind::Gt: return two(">");
    case Kind::Ge: return two(">=");
    case Kind::Select:
      return fmt::format("where({}, {}, {})", text(e.a, depth + 1), text(e.b, depth + 1), text(e.c, depth + 1));
    }
    return "";
  }

private:
  std::vector<Expr> all;
  std::map<std::tuple<Kind, int, float, int, int, int>, int> ids;

  int make(Expr expr) {
    auto [at, isNew] = ids.try_emplace({expr.kind, expr.input, expr.value, expr.a, expr.b, expr.c}, int(all.size()));
    if (isNew) all.push_back(std::move(expr));
    return at->second;
  }
  int assume(int id, int condition, bool value, llvm::DenseMap<int, int> &done) {
    if (id == condition) return boolean(value);
    if (auto at = done.find(id); at != done.end()) return at->second;
    Expr expr = all[size_t(id)]; // a copy: `all` grows below
    int result = id;
    if (expr.a >= 0) {
      int a = assume(expr.a, condition, value, done), b = assume(expr.b, condition, value, done);
      if (expr.kind == Kind::Select) result = select(a, b, assume(expr.c, condition, value, done));
      else result = binary(expr.kind, a, b);
    }
    done[id] = result;
    return result;
  }
};

/// Evaluates one body.
class Body {
public:
  Body(const onnx::FunctionProto &function, BodyProblem &problem) : function(function), problem(problem) {}

  std::optional<NeuronModel> read(const NeuronModel &promised) {
    if (!checkFrame(promised)) return std::nullopt;
    for (int k = 0; k < function.input_size(); ++k)
      if (!values.try_emplace(function.input(k), x.input(k)).second) return fail(nullptr, fmt::format("input {} is given twice", quoted(function.input(k))));
    for (const onnx::NodeProto &node : function.node())
      if (!evaluate(node)) return std::nullopt;
    int outputs[2];
    for (int k : {0, 1}) {
      auto at = values.find(function.output(k));
      if (at == values.end()) return fail(nullptr, fmt::format("output {} is computed by no node", quoted(function.output(k))));
      outputs[k] = at->second;
    }
    return judge(promised, outputs[0], outputs[1]);
  }

private:
  const onnx::FunctionProto &function;
  BodyProblem &problem;
  Expressions x;
  llvm::StringMap<int> values;

  static std::string nodeName(const onnx::NodeProto &node) {
    if (!node.name().empty()) return node.name();
    return node.output_size() > 0 ? node.output(0) : std::string(node.op_type());
  }
  std::nullopt_t fail(const onnx::NodeProto *node, std::string text, std::string fix = "") {
    problem = {node ? nodeName(*node) : "", std::move(text), std::move(fix)};
    return std::nullopt;
  }
  std::nullopt_t differs(int id, StringRef what, StringRef expected) {
    problem = {x[id].node, fmt::format("{} is {}, expected {}", what.str(), x.text(id), expected.str()),
               "rename the function to what its body computes, or mend the body; docs/student-onnx.md has all of them"};
    return std::nullopt;
  }

  bool checkFrame(const NeuronModel &promised) {
    int inputs = promised.reset == snn::Reset::Value ? 4 : 3;
    if (function.input_size() != inputs || function.output_size() != 2) {
      fail(nullptr, fmt::format("it has {} inputs and {} outputs, expected {} (current, v, v_threshold{}) and 2 (spike, v_next)",
                                function.input_size(), function.output_size(), inputs, inputs == 4 ? ", v_reset" : ""));
      return false;
    }
    if (function.node_size() < 1 || function.node_size() > kMaxNodes) {
      fail(nullptr, fmt::format("its body has {} nodes, expected 1 to {}", function.node_size(), kMaxNodes));
      return false;
    }
    int64_t opset = -1;
    for (const auto &import : function.opset_import())
      if (import.domain().empty() || import.domain() == "ai.onnx") opset = import.version();
    if (opset < 7 || opset > 22) {
      fail(nullptr, opset < 0 ? "it imports no opset of domain \"\", expected version 7 to 22"
                              : fmt::format("its opset is {}, expected 7 to 22", opset));
      return false;
    }
    return true;
  }

  bool evaluate(const onnx::NodeProto &node) {
    x.node = nodeName(node);
    StringRef op = node.op_type();
    if (!node.domain().empty() && node.domain() != "ai.onnx")
      return fail(&node, fmt::format("operator {} is of domain {}, expected domain \"\"", quoted(op), quoted(node.domain()))), false;
    llvm::SmallVector<int> in;
    for (const std::string &name : node.input()) {
      auto at = values.find(name);
      if (at == values.end()) return fail(&node, fmt::format("input {} is not defined before it", quoted(name))), false;
      in.push_back(at->second);
    }
    static const std::map<StringRef, size_t> arity = {{"Constant", 0}, {"Identity", 1}, {"Cast", 1}, {"CastLike", 2}, {"Add", 2},
                                                      {"Sub", 2}, {"Mul", 2}, {"Greater", 2}, {"GreaterOrEqual", 2}, {"Less", 2},
                                                      {"LessOrEqual", 2}, {"Where", 3}};
    auto known = arity.find(op);
    if (known == arity.end())
      return fail(&node, fmt::format("operator {} is not one of a neuron's, expected Add, Sub, Mul, Greater(OrEqual), Less(OrEqual), "
                                     "Where, Cast, CastLike, Constant or Identity", quoted(op))), false;
    if (in.size() != known->second || node.output_size() != 1)
      return fail(&node, fmt::format("it has {} inputs and {} outputs, expected {} and 1", in.size(), node.output_size(), known->second)), false;
    int result = compute(node, op, in);
    if (result < 0) return false;
    if (node.output(0).empty() || !values.try_emplace(node.output(0), result).second)
      return fail(&node, fmt::format("the name {} is {}, expected a name of its own", quoted(node.output(0)),
                                     node.output(0).empty() ? "empty" : "taken")), false;
    return true;
  }

  int compute(const onnx::NodeProto &node, StringRef op, llvm::ArrayRef<int> in) {
    auto typeError = [&] { return fail(&node, "a boolean meets a number, expected operands of one kind"), -1; };
    auto arithmetic = [&](Kind kind, int a, int b) { return x[a].isBool() || x[b].isBool() ? typeError() : x.binary(kind, a, b); };
    if (op == "Constant") return constant(node);
    if (op == "Identity") return in[0];
    if (op == "Cast") return cast(node, in[0]);
    if (op == "CastLike") return toType(node, in[0], x[in[1]].isBool());
    if (op == "Add") return arithmetic(Kind::Add, in[0], in[1]);
    if (op == "Sub") return arithmetic(Kind::Sub, in[0], in[1]);
    if (op == "Mul") return arithmetic(Kind::Mul, in[0], in[1]);
    if (op == "Greater") return arithmetic(Kind::Gt, in[0], in[1]);
    if (op == "GreaterOrEqual") return arithmetic(Kind::Ge, in[0], in[1]);
    if (op == "Less") return arithmetic(Kind::Gt, in[1], in[0]);
    if (op == "LessOrEqual") return arithmetic(Kind::Ge, in[1], in[0]);
    if (!x[in[0]].isBool() || x[in[1]].isBool() != x[in[2]].isBool()) return typeError(); // Where
    return x.select(in[0], in[1], in[2]);
  }

  int toType(const onnx::NodeProto &node, int id, bool wantBool) {
    if (!wantBool) return x.toFloat(id);
    int result = x.toBool(id);
    if (result < 0) fail(&node, fmt::format("{} is cast to a boolean, expected a spike", x.text(id)));
    return result;
  }
  int cast(const onnx::NodeProto &node, int id) {
    for (const onnx::AttributeProto &attr : node.attribute()) {
      if (attr.name() != "to" || attr.type() != onnx::AttributeProto::INT || !attr.ref_attr_name().empty()) continue;
      if (attr.i() == onnx::TensorProto::FLOAT) return toType(node, id, false);
      if (attr.i() == onnx::TensorProto::BOOL) return toType(node, id, true);
      return fail(&node, fmt::format("attribute to is {}, expected 1 (float) or 9 (bool)", attr.i())), -1;
    }
    return fail(&node, "attribute to is absent, expected 1 (float) or 9 (bool)"), -1;
  }
  int constant(const onnx::NodeProto &node) {
    if (node.attribute_size() != 1) return fail(&node, fmt::format("it has {} attributes, expected one", node.attribute_size())), -1;
    const onnx::AttributeProto &attr = node.attribute(0);
    float value = 0;
    if (attr.name() == "value_float" && attr.type() == onnx::AttributeProto::FLOAT) {
      if (!attr.ref_attr_name().empty()) {
        bool declared = false;
        for (const std::string &name : function.attribute()) declared |= name == attr.ref_attr_name();
        if (attr.ref_attr_name() == "beta" && declared) return x.beta();
        return fail(&node, fmt::format("it refers to attribute {}, expected beta, declared by the function", quoted(attr.ref_attr_name()))), -1;
      }
      value = attr.f();
    } else if (attr.name() == "value" && attr.has_t() && attr.ref_attr_name().empty()) {
      std::string text, fix;
      ConstantRef tensor = decodeTensor(attr.t(), text, fix);
      if (!tensor) return fail(&node, "attribute value: " + text, fix), -1;
      if (!tensor->isFloat || tensor->f.size() != 1)
        return fail(&node, fmt::format("its value has shape {}, expected one float", shapeText(tensor->dims))), -1;
      value = tensor->f.front();
    } else {
      return fail(&node, fmt::format("attribute {} is not supported, expected value or value_float", quoted(attr.name()))), -1;
    }
    if (!std::isfinite(value)) return fail(&node, "its value is not finite, expected a finite number"), -1;
    return x.constant(value);
  }

  std::optional<NeuronModel> judge(const NeuronModel &promised, int spike, int next) {
    x.node = "";
    NeuronModel model;
    int fired = x[spike].isBool() ? -1 : x.toBool(spike);
    if (fired < 0 || (x[fired].kind != Kind::Gt && x[fired].kind != Kind::Ge))
      return differs(spike, "spike", "cast(u > v_threshold) as float");
    model.compare = x[fired].kind == Kind::Gt ? snn::Compare::Gt : snn::Compare::Ge;
    int u = x[fired].a, threshold = x.input(kThreshold);
    if (x[fired].b != threshold) return differs(fired, "the comparison", "u > v_threshold or u >= v_threshold");
    // u = v*beta + current; operands of Add and Mul stand in either order.
    const char *form = promised.leaky ? "v*beta + current" : "v + current";
    int current = x.input(kCurrent), v = x.input(kV);
    if (x[u].kind != Kind::Add || (x[u].a != current && x[u].b != current)) return differs(u, "u", form);
    int leaked = x[u].a == current ? x[u].b : x[u].a;
    if (leaked != v) {
      model.leaky = true;
      int factor = x[leaked].kind != Kind::Mul ? -1 : x[leaked].a == v ? x[leaked].b : x[leaked].b == v ? x[leaked].a : -1;
      if (factor >= 0 && x[factor].kind == Kind::Constant) model.fixedBeta = x[factor].value;
      else if (factor < 0 || x[factor].kind != Kind::Beta) return differs(leaked, "the leak", promised.leaky ? "v*beta" : "v");
    }
    if (model.leaky != promised.leaky) return differs(model.leaky ? leaked : u, model.leaky ? "the leak" : "u", model.leaky ? "v" : form);
    int silent = x.assume(next, fired, false), after = x.assume(next, fired, true);
    if (silent != u) return differs(x[silent].node.empty() ? next : silent, "v_next without a spike", "u = " + x.text(u));
    struct { int is; snn::Reset reset; std::string text; } resets[] = {
        {x.constant(0), snn::Reset::Zero, "0"}, {x.binary(Kind::Sub, u, threshold), snn::Reset::Subtract, "u - v_threshold"},
        {promised.reset == snn::Reset::Value ? x.input(kReset) : -1, snn::Reset::Value, "v_reset"}, {u, snn::Reset::None, "u"}};
    for (const auto &reset : resets)
      if (reset.reset == promised.reset) {
        if (after != reset.is) {
          problem = {x[next].node, fmt::format("v_next after a spike is {}, expected {} for reset = {}", x.text(after), reset.text,
                                               snn::stringifyReset(promised.reset).str()),
                     "rename the function to what its body computes, or mend the body; docs/student-onnx.md has all of them"};
          return std::nullopt;
        }
        model.reset = reset.reset;
      }
    return model;
  }
};

} // namespace

std::optional<NeuronModel> neuronFromBody(const onnx::FunctionProto &function, const NeuronModel &promised, BodyProblem &problem) {
  return Body(function, problem).read(promised);
}

} // namespace lasnn::onnx_import
