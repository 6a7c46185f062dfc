// Where a student starts (--init) and whether it is trained in integers (--weights).
#pragma once

#include "distill/model_file.h"
#include "distill/options.h"

namespace lasnn::distill {

/// The student that --init names; without a network when it names none. A student that goes on in integers keeps what it is (T,
/// encoding, neuron): `s` takes it over. Throws std::invalid_argument when the user asked for something else.
Model findStart(StudentOptions &s, const TrainOptions &);

/// A new student: in integers from `start`, or of `arch` with weights from `start`, else from the teacher's network, if any, and
/// wanted. `say`: tell how many synapses start from where.
std::shared_ptr<Network> newStudent(const Model &start, const Network *teacher, const Arch &arch, const StudentOptions &, bool say);

} // namespace lasnn::distill
