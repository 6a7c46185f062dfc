#include "frontend/onnx/view.h"

using llvm::ArrayRef;
using llvm::SmallVector;

namespace lasnn::onnx_import {

static int64_t product(ArrayRef<int64_t> dims) {
  int64_t count = 1;
  for (int64_t dim : dims)
    count *= dim;
  return count;
}

View View::of(ArrayRef<int64_t> shape) {
  View view;
  view.dims.assign(shape.begin(), shape.end());
  if (int64_t count = product(shape); count > 1) view.atoms.push_back({count, 1});
  return view;
}

View View::reshaped(ArrayRef<int64_t> to) const {
  View view = *this;
  view.dims.assign(to.begin(), to.end());
  return view;
}

std::optional<View> View::transposed(ArrayRef<int64_t> order) const {
  // Cut the atoms at the borders of the axes.
  SmallVector<Atom, 4> rest(atoms.rbegin(), atoms.rend());
  SmallVector<SmallVector<Atom, 2>, 4> axes;
  for (int64_t need : dims) {
    axes.emplace_back();
    while (need > 1) {
      Atom atom = rest.pop_back_val();
      if (need % atom.size == 0) {
        need /= atom.size;
      } else if (atom.size % need == 0) {
        int64_t inner = atom.size / need;
        rest.push_back({inner, atom.stride});
        atom = {need, atom.stride * inner};
        need = 1;
      } else {
        return std::nullopt;
      }
      axes.back().push_back(atom);
    }
  }
  View view;
  for (int64_t axis : order) {
    view.dims.push_back(dims[size_t(axis)]);
    for (Atom atom : axes[size_t(axis)]) {
      if (!view.atoms.empty() && view.atoms.back().stride == atom.size * atom.stride)
        view.atoms.back() = {view.atoms.back().size * atom.size, atom.stride};
      else
        view.atoms.push_back(atom);
    }
  }
  return view;
}

std::vector<int64_t> View::order() const {
  std::vector<int64_t> at = {0};
  for (Atom atom : atoms) {
    std::vector<int64_t> next;
    next.reserve(at.size() * size_t(atom.size));
    for (int64_t base : at)
      for (int64_t k = 0; k < atom.size; ++k)
        next.push_back(base + k * atom.stride);
    at = std::move(next);
  }
  return at;
}

} // namespace lasnn::onnx_import
