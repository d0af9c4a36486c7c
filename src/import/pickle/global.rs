//! The names of Python whose results are data.

use super::super::element::Element;

/// Stand-ins for the Python names whose results are data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    RebuildTensor,
    /// Of a storage without a type; the type is an argument.
    RebuildTensorOfType,
    RebuildParameter,
    /// A subclass of tensors: a function and its arguments are among the arguments.
    RebuildFromType,
    OrderedDict,
    /// Its first argument makes the values that are not there yet.
    DefaultDict,
    Size,
    Device,
    Storage(Element),
    Type(Element),
}

impl Global {
    /// The stand-in for a name; none for all others.
    pub fn find(name: &str) -> Option<Self> {
        Some(match name {
            "torch._utils._rebuild_tensor_v2" | "torch._utils._rebuild_tensor" => {
                Self::RebuildTensor
            }
            "torch._utils._rebuild_tensor_v3" => Self::RebuildTensorOfType,
            "torch._utils._rebuild_parameter" | "torch._utils._rebuild_parameter_with_state" => {
                Self::RebuildParameter
            }
            "torch._tensor._rebuild_from_type_v2" => Self::RebuildFromType,
            "collections.OrderedDict" | "builtins.dict" | "__builtin__.dict" => Self::OrderedDict,
            "collections.defaultdict" => Self::DefaultDict,
            "torch.Size" => Self::Size,
            "torch.device" => Self::Device,
            "torch.storage.UntypedStorage" | "torch.UntypedStorage" => Self::Storage(Element::U8),
            _ => {
                let name = name.strip_prefix("torch.")?;
                let storage = name.strip_prefix("cuda.").unwrap_or(name);
                return match storage.strip_suffix("Storage") {
                    Some(kind) => storage_element(kind).map(Self::Storage),
                    None => type_element(name).map(Self::Type),
                };
            }
        })
    }
}

/// The elements of `torch.<kind>Storage`.
fn storage_element(kind: &str) -> Option<Element> {
    let other = |name, bytes| Element::Other { name, bytes };
    Some(match kind {
        "Float" => Element::F32,
        "Half" => Element::F16,
        "BFloat16" => Element::Bf16,
        "Double" => Element::F64,
        "Long" => Element::I64,
        "Int" => Element::I32,
        "Short" => Element::I16,
        "Char" => Element::I8,
        "Byte" => Element::U8,
        "Bool" => Element::Bool,
        "ComplexFloat" => other("complex numbers", 8),
        "ComplexDouble" => other("complex numbers", 16),
        "QInt8" | "QUInt8" | "QUInt4x2" | "QUInt2x4" => other("quantised numbers", 1),
        "QInt32" => other("quantised numbers", 4),
        _ => return None,
    })
}

/// The elements of `torch.<name>`.
fn type_element(name: &str) -> Option<Element> {
    let other = |name, bytes| Element::Other { name, bytes };
    Some(match name {
        "float32" => Element::F32,
        "float16" => Element::F16,
        "bfloat16" => Element::Bf16,
        "float64" => Element::F64,
        "float8_e4m3fn" => Element::F8E4M3,
        "float8_e5m2" => Element::F8E5M2,
        "float8_e4m3fnuz" | "float8_e5m2fnuz" | "float8_e8m0fnu" => other("8-bit floats", 1),
        "int64" => Element::I64,
        "int32" => Element::I32,
        "int16" => Element::I16,
        "int8" => Element::I8,
        "uint64" => Element::U64,
        "uint32" => Element::U32,
        "uint16" => Element::U16,
        "uint8" => Element::U8,
        "bool" => Element::Bool,
        "complex32" => other("complex numbers", 4),
        "complex64" => other("complex numbers", 8),
        "complex128" => other("complex numbers", 16),
        _ => return None,
    })
}
