// The dialect `snn`: spiking networks, float and integer. Meaning: ir/spec.md; rule labels (S1, C2, ...) are its numbers.
#ifndef LASNN_IR_SNNDIALECT_TD
#define LASNN_IR_SNNDIALECT_TD
include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"

def Snn_Dialect : Dialect {
  let name = "snn";
  let summary = "spiking networks: one time-step, explicit neurons, float and integer form";
  let cppNamespace = "::lasnn::snn";
  let useDefaultAttributePrinterParser = 1;
}

class Snn_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::lasnn::snn";
  let genSpecializedAttr = 0;
}
class Snn_EnumAttr<EnumAttrInfo info, string mnemonic> : EnumAttr<Snn_Dialect, info, mnemonic>;

def Snn_Reset : Snn_Enum<"Reset", "what a spike does to the membrane (N6)", [
  I32EnumAttrCase<"Zero", 0, "zero">, I32EnumAttrCase<"Subtract", 1, "subtract">,
  I32EnumAttrCase<"None", 2, "none">, I32EnumAttrCase<"Value", 3, "value">]>;
def Snn_ResetAttr : Snn_EnumAttr<Snn_Reset, "reset"> { let assemblyFormat = "`<` $value `>`"; }

def Snn_Compare : Snn_Enum<"Compare", "how the membrane is compared with the threshold (N5)", [
  I32EnumAttrCase<"Gt", 0, "gt">, I32EnumAttrCase<"Ge", 1, "ge">]>;
def Snn_CompareAttr : Snn_EnumAttr<Snn_Compare, "compare"> { let assemblyFormat = "`<` $value `>`"; }

def Snn_Encoding : Snn_Enum<"Encoding", "how input values become currents or spikes (E1..E3)", [
  I32EnumAttrCase<"Direct", 0, "direct">, I32EnumAttrCase<"Events", 1, "events">]>;
def Snn_EncodingAttr : Snn_EnumAttr<Snn_Encoding, "encoding">;

def Snn_ReadoutMode : Snn_Enum<"ReadoutMode", "how per-step currents become an output (R1..R3)", [
  I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Mean", 1, "mean">, I32EnumAttrCase<"Last", 2, "last">]>;
def Snn_ReadoutModeAttr : Snn_EnumAttr<Snn_ReadoutMode, "readout_mode">;
#endif
