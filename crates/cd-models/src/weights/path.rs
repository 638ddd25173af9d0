//! PyTorch's name of the place where a module visitor stands.

/// Where a module visitor stands, as a PyTorch name.
#[derive(Debug, Default)]
pub(crate) struct Path {
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    name: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// No part of a parameter's name.
    Hidden,
    /// The BatchNorm of a pair that is called after its convolution: `conv2` stands for `bn2` here.
    Paired,
}

impl Path {
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        let kind = match (container, name) {
            ("Struct:ConvNorm", "norm") => Kind::Paired,
            ("Struct:ConvNorm", _) | (_, "trunk") => Kind::Hidden,
            (container, _) if container.starts_with("Enum:") => Kind::Hidden,
            _ => Kind::Plain,
        };
        let name = name.to_owned();
        self.parts.push(Part { name, kind });
    }

    pub(crate) fn exit(&mut self) {
        self.parts.pop();
    }

    /// Burn's name of the parameter itself.
    pub(crate) fn leaf(&self) -> &str {
        self.parts.last().map_or("", |part| &part.name)
    }

    pub(crate) fn torch_name(&self) -> String {
        let next = self.parts.iter().skip(1).map(|part| part.kind);
        let next = next.chain([Kind::Plain]);
        let visible = self.parts.iter().zip(next);
        let names: Vec<String> = visible
            .filter(|(part, _)| part.kind == Kind::Plain)
            .map(|(part, next)| match (part.name.as_str(), next) {
                ("gamma", _) => "weight".to_owned(),
                ("beta", _) => "bias".to_owned(),
                (conv, Kind::Paired) => conv.replace("conv", "bn"),
                (other, _) => other.to_owned(),
            })
            .collect();
        names.join(".")
    }
}
