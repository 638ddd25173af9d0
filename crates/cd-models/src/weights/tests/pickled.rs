//! Files as Python programs write them, made without Python.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::weights::state::{NamedTensor, StateDict};

/// An object of Python.
#[derive(Debug, Clone)]
pub(in crate::weights) enum Py {
    None,
    True,
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Tuple(Vec<Py>),
    List(Vec<Py>),
    Dict(Vec<(Py, Py)>),
    Class(&'static str, &'static str),
    /// A class or function, called with a tuple.
    Call(Box<Py>, Vec<Py>),
    /// An object with a state.
    State(Box<Py>, Box<Py>),
    /// An object with what is put into it as into a dictionary.
    Items(Box<Py>, Vec<(Py, Py)>),
    Tensor(NamedTensor),
}

pub(in crate::weights) fn text(text: &str) -> Py {
    Py::Text(text.to_owned())
}

pub(in crate::weights) fn call(module: &'static str, name: &'static str, arguments: Vec<Py>) -> Py {
    Py::Call(Box::new(Py::Class(module, name)), arguments)
}

pub(in crate::weights) fn object(
    module: &'static str,
    name: &'static str,
    attributes: Vec<(Py, Py)>,
) -> Py {
    Py::State(
        Box::new(call(module, name, Vec::new())),
        Box::new(Py::Dict(attributes)),
    )
}

pub(in crate::weights) fn dict<const N: usize>(items: [(&str, Py); N]) -> Py {
    Py::Dict(
        items
            .into_iter()
            .map(|(key, value)| (text(key), value))
            .collect(),
    )
}

pub(in crate::weights) fn tensor(shape: &[usize], values: &[f32]) -> Py {
    Py::Tensor(NamedTensor {
        shape: shape.to_vec(),
        values: values.to_vec(),
    })
}

/// The parameters of a state dict under names that begin with `prefix`.
pub(in crate::weights) fn parameters(state: &StateDict, prefix: &str) -> Vec<(Py, Py)> {
    let parameters = state.iter();
    parameters
        .map(|(name, tensor)| (text(&format!("{prefix}{name}")), Py::Tensor(tensor.clone())))
        .collect()
}

/// An `OrderedDict`, as `state_dict()` gives it.
pub(in crate::weights) fn ordered(items: Vec<(Py, Py)>) -> Py {
    Py::Items(
        Box::new(call("collections", "OrderedDict", Vec::new())),
        items,
    )
}

#[derive(Default)]
struct Writer {
    out: Vec<u8>,
    storages: Vec<Vec<u8>>,
    /// Values of each storage.
    counts: Vec<usize>,
}

impl Writer {
    fn all(&mut self, objects: &[Py]) {
        for object in objects {
            self.write(object);
        }
    }

    fn pairs(&mut self, pairs: &[(Py, Py)]) {
        self.out.push(b'(');
        for (key, value) in pairs {
            self.write(key);
            self.write(value);
        }
        self.out.push(b'u');
    }

    fn tuple(&mut self, elements: &[Py]) {
        self.out.push(b'(');
        self.all(elements);
        self.out.push(b't');
    }

    fn write(&mut self, object: &Py) {
        match object {
            Py::None => self.out.push(b'N'),
            Py::True => self.out.push(0x88),
            Py::Int(number) => {
                self.out.extend([0x8a, 8]);
                self.out.extend(number.to_le_bytes());
            }
            Py::Float(number) => {
                self.out.push(b'G');
                self.out.extend(number.to_be_bytes());
            }
            Py::Text(text) => {
                self.out.push(b'X');
                self.out.extend((text.len() as u32).to_le_bytes());
                self.out.extend(text.bytes());
            }
            Py::Bytes(bytes) => {
                self.out.push(b'B');
                self.out.extend((bytes.len() as u32).to_le_bytes());
                self.out.extend(bytes);
            }
            Py::Tuple(elements) => self.tuple(elements),
            Py::List(elements) => {
                self.out.extend(b"](");
                self.all(elements);
                self.out.push(b'e');
            }
            Py::Dict(pairs) => {
                self.out.push(b'}');
                self.pairs(pairs);
            }
            Py::Class(module, name) => self.out.extend(format!("c{module}\n{name}\n").bytes()),
            Py::Call(class, arguments) => {
                self.write(class);
                self.tuple(arguments);
                self.out.push(b'R');
            }
            Py::State(object, state) => {
                self.write(object);
                self.write(state);
                self.out.push(b'b');
            }
            Py::Items(object, pairs) => {
                self.write(object);
                self.pairs(pairs);
            }
            Py::Tensor(tensor) => self.tensor(tensor),
        }
    }

    fn tensor(&mut self, tensor: &NamedTensor) {
        let number = self.storages.len();
        self.storages.push(
            tensor
                .values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        );
        self.counts.push(tensor.values.len());
        self.write(&Py::Class("torch._utils", "_rebuild_tensor_v2"));
        self.out.push(b'(');
        self.tuple(&[
            text("storage"),
            Py::Class("torch", "FloatStorage"),
            text(&number.to_string()),
            text("cpu"),
            Py::Int(tensor.values.len() as i64),
        ]);
        self.out.push(b'Q');
        let sizes =
            |sizes: &[usize]| Py::Tuple(sizes.iter().map(|&size| Py::Int(size as i64)).collect());
        let strides: Vec<usize> = (0..tensor.shape.len())
            .map(|axis| tensor.shape[axis + 1..].iter().product())
            .collect();
        self.all(&[
            Py::Int(0),
            sizes(&tensor.shape),
            sizes(&strides),
            Py::True,
            call("collections", "OrderedDict", Vec::new()),
        ]);
        self.out.extend(b"tR");
    }
}

fn pickle(object: &Py) -> Writer {
    let mut writer = Writer::default();
    writer.out.extend([0x80, 2]);
    writer.write(object);
    writer.out.push(b'.');
    writer
}

/// A pickle alone.
pub(in crate::weights) fn bare(object: &Py) -> Vec<u8> {
    pickle(object).out
}

/// What `torch.save` writes since 1.6, in a folder `name`.
pub(in crate::weights) fn archive(name: &str, object: &Py) -> Vec<u8> {
    let writer = pickle(object);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut add = |inner: &str, bytes: &[u8]| {
        archive
            .start_file(format!("{name}/{inner}"), options)
            .expect("begun");
        archive.write_all(bytes).expect("written");
    };
    add("data.pkl", &writer.out);
    for (number, storage) in writer.storages.iter().enumerate() {
        add(&format!("data/{number}"), storage);
    }
    archive.finish().expect("finished").into_inner()
}

/// What `torch.save` wrote before 1.6.
pub(in crate::weights) fn old(object: &Py) -> Vec<u8> {
    let mut file = vec![
        0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.',
    ];
    file.extend(bare(&Py::Int(1001)));
    file.extend(bare(&dict([("little_endian", Py::True)])));
    let writer = pickle(object);
    file.extend(&writer.out);
    let names = (0..writer.storages.len()).map(|number| text(&number.to_string()));
    file.extend(bare(&Py::List(names.collect())));
    for (storage, count) in writer.storages.iter().zip(&writer.counts) {
        file.extend((*count as u64).to_le_bytes());
        file.extend(storage);
    }
    file
}
