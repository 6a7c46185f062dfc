#!/bin/sh
# Trains small students of every kind of graph on a few images, then lets onnx_oracle.py judge their exports.
# oracle_test.sh PYTHON LASNN_DISTILL WORK_FOLDER; exit 77: skipped.
set -eu
python=$1 tool=$2 work=$3
here=$(dirname "$0")
data=fashion-mnist:/usr/share/datasets/fashion-mnist
if [ ! -d "${data#*:}" ]; then echo "SKIPPED: ${data#*:} is absent"; exit 77; fi
"$python" -c 'import onnx, onnxruntime' 2>/dev/null || { echo "SKIPPED: $python has no onnx and onnxruntime"; exit 77; }
mkdir -p "$work"
export_options=
check() { # ARCH then the student's options
  arch=$1; shift
  echo "== $arch $*"
  "$tool" student --no-distill --init=random --arch="$arch" --data=$data --limit=500 --epochs=1 --batch=50 -o "$work/student.pt" "$@" 2>/dev/null
  "$python" "$here/onnx_oracle.py" "$tool" "$work/student.pt" $data 64 $export_options
}
check cnn-small
check mlp -T 3 --reset=subtract --neuron=plif
check vgg5 -T 2 --neuron=if --reset=subtract --v-threshold=0.7
check resnet -T 2 --beta=0.75
cat > "$work/all.json" <<'END'
[{"name": "c1", "conv": [8, 3, 2, 1], "pool": ["max", 2]}, {"name": "d", "conv": [8, 3, 1, 1], "groups": 0},
 {"name": "c2", "conv": [16, 3, 1, 1], "pool": ["avg", 2]}, {"name": "p", "maxpool": [3, 2, 1]},
 {"name": "h", "linear": 24, "recurrent": {"name": "h.back", "linear": 24}}, {"name": "f", "linear": 0, "readout": true}]
END
check "$work/all.json" -T 3 --neuron=cuba --learn-decay --learn-threshold=channel
check resnet20 -T 2 --width=0.5 --shortcut=ms --neuron=clif --learn-threshold=layer
check resnet20 -T 2 --width=0.5 --shortcut=sew --neuron=cuba --reset=subtract
export_options=--bn=keep
check "$work/all.json" -T 2 --learn-threshold=channel
check resnet20 -T 2 --width=0.5
