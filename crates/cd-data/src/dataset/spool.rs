//! Encoded pictures that are read once in the order of a file and then in any order, from a temporary file without a name.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use crate::picture::{Container, Place, Stamp};

/// A temporary file that pictures of several files are put into. It disappears with its last picture, whatever ends the program.
pub(super) struct Spool {
    file: BufWriter<File>,
    end: u64,
}

/// The pictures of one file, which errors name.
pub(super) struct Source {
    container: Arc<Container>,
}

impl Spool {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(tempfile::tempfile()?),
            end: 0,
        })
    }

    /// To be called for each file whose pictures are put in; it looked like `stamp` before it was read.
    pub(super) fn source(&self, path: &Path, stamp: Option<Stamp>) -> io::Result<Source> {
        let file = self.file.get_ref().try_clone()?;
        let container = Container::unpacked(path, stamp, file);
        Ok(Source { container })
    }

    /// Puts a picture in; it can be read once the spool is [finished](Self::finish).
    pub(super) fn put(&mut self, source: &Source, name: &str, bytes: &[u8]) -> io::Result<Place> {
        let start = self.end;
        self.file.write_all(bytes)?;
        self.end += bytes.len() as u64;
        Ok(Place::Part {
            container: Arc::clone(&source.container),
            name: name.into(),
            start,
            len: bytes.len() as u64,
        })
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.file.flush()
    }
}
