//! One resumable download, compared with the checksum of the published file.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cd_core::{Progress, Task};
use md5::{Digest, Md5};
use ureq::http::Response;
use ureq::{Agent, Body};

use super::{FetchError, Fetched};
use crate::picture::kind;

/// Bytes moved at once.
const BUFFER: usize = 64 << 10;
/// Longest wait for a connection, an answer or the next bytes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A file to download and what the published one is told by.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) url: String,
    pub(super) file_name: &'static str,
    /// Lower-case hexadecimal.
    pub(super) md5: &'static str,
}

/// What one request brought.
struct Transfer {
    /// Where in the file it began.
    start: u64,
    /// Whether the server said how long the file is.
    is_measured: bool,
}

impl Download {
    /// Downloads into the folder `target`; a file that is there is left alone.
    pub(super) fn run(
        &self,
        target: &Path,
        progress: &dyn Progress,
    ) -> Result<Fetched, FetchError> {
        let path = target.join(self.file_name);
        if path.exists() {
            let md5 = md5_of(&path)?;
            return Ok(self.fetched(path, md5));
        }
        if !self.url.starts_with("https://") && !self.url.starts_with("http://") {
            return Err(FetchError::Address {
                url: self.url.clone(),
            });
        }
        fs::create_dir_all(target).map_err(|source| io_error(target, source))?;
        let part = target.join(format!("{}.part", self.file_name));
        let left = if part.exists() {
            md5_of(&part)?
        } else {
            String::new()
        };
        let md5 = if left == self.md5 {
            left
        } else {
            let transfer = self.transfer(&part, &path, progress)?;
            self.check(&part, &transfer)?
        };
        fs::rename(&part, &path).map_err(|source| io_error(&path, source))?;
        Ok(self.fetched(path, md5))
    }

    fn fetched(&self, path: PathBuf, md5: String) -> Fetched {
        Fetched {
            path,
            md5,
            official: self.md5,
        }
    }

    fn transfer(
        &self,
        part: &Path,
        by_hand: &Path,
        progress: &dyn Progress,
    ) -> Result<Transfer, FetchError> {
        let have = fs::metadata(part).map_or(0, |part| part.len());
        let mut response = self.request(have, by_hand)?;
        let continues = response.status() == 206 && continues_at(&response, have);
        // 416: there is nothing behind what an earlier start has left. Or the answer is another part than was asked for.
        if have > 0 && (response.status() == 416 || response.status() == 206 && !continues) {
            response = self.request(0, by_hand)?;
        }
        let start = match response.status().as_u16() {
            206 if continues => have,
            // The server ignored the range and sends everything.
            200 => 0,
            status => {
                return Err(FetchError::Status {
                    url: self.url.clone(),
                    status,
                    by_hand: by_hand.into(),
                });
            }
        };
        let total = response.body().content_length().map(|rest| start + rest);
        let task = Task::start(progress, &format!("downloading {}", self.file_name), total);
        task.advance(start);
        self.save(response, part, start, total, &task)?;
        Ok(Transfer {
            start,
            is_measured: total.is_some(),
        })
    }

    /// Asks for the file from byte `from` on.
    fn request(&self, from: u64, by_hand: &Path) -> Result<Response<Body>, FetchError> {
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .build()
            .into();
        // Bytes are counted as they lie on the server.
        let mut request = agent.get(&self.url).header("Accept-Encoding", "identity");
        if from > 0 {
            request = request.header("Range", format!("bytes={from}-"));
        }
        request.call().map_err(|error| FetchError::Unreachable {
            url: self.url.clone(),
            reason: error.to_string(),
            by_hand: by_hand.into(),
        })
    }

    /// Writes the body behind the first `start` bytes of `part`, until there are `total`.
    fn save(
        &self,
        response: Response<Body>,
        part: &Path,
        start: u64,
        total: Option<u64>,
        task: &Task<'_>,
    ) -> Result<(), FetchError> {
        let mut file = open_at(part, start).map_err(|source| io_error(part, source))?;
        let mut body = response.into_body().into_reader();
        let mut buffer = vec![0; BUFFER];
        let mut got = start;
        let ended = loop {
            match body.read(&mut buffer) {
                Ok(0) => break None,
                Ok(count) => {
                    file.write_all(&buffer[..count])
                        .map_err(|source| io_error(part, source))?;
                    got += count as u64;
                    task.advance(count as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(error.to_string()),
            }
        };
        file.sync_all().map_err(|source| io_error(part, source))?;
        let short = total.is_some_and(|total| got < total);
        let closed = || "the server closed the connection".to_owned();
        match ended.or_else(|| short.then(closed)) {
            None => Ok(()),
            Some(reason) => Err(FetchError::Interrupted {
                url: self.url.clone(),
                got,
                expected: total.map_or_else(|| "?".to_owned(), |total| total.to_string()),
                reason,
            }),
        }
    }

    /// The checksum of a complete file; fails and removes it when it cannot be a copy of its own.
    fn check(&self, part: &Path, transfer: &Transfer) -> Result<String, FetchError> {
        let got = md5_of(part)?;
        if got == self.md5 {
            return Ok(got);
        }
        if let Some(what) = page(part)? {
            remove(part)?;
            return Err(FetchError::Foreign {
                url: self.url.clone(),
                what,
            });
        }
        let reason = match transfer {
            Transfer { start: 1.., .. } => "it continues what an earlier start had left",
            Transfer {
                is_measured: false, ..
            } => "the server did not say how long it is",
            _ => return Ok(got),
        };
        remove(part)?;
        Err(FetchError::Checksum {
            url: self.url.clone(),
            expected: self.md5.to_owned(),
            got,
            reason,
        })
    }
}

/// What a file is that servers send instead of the one that was asked for.
fn page(path: &Path) -> Result<Option<&'static str>, FetchError> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(kind::LOOKED_AT).read_to_end(&mut start));
    read.map_err(|source| io_error(path, source))?;
    if start.is_empty() {
        return Ok(Some("nothing"));
    }
    Ok(kind::text(&start))
}

/// Whether a partial answer begins where the file on disk ends.
fn continues_at(response: &Response<Body>, have: u64) -> bool {
    response
        .headers()
        .get("Content-Range")
        .and_then(|range| range.to_str().ok())
        .and_then(|range| range.strip_prefix("bytes "))
        .and_then(|range| range.split('-').next())
        .is_some_and(|first| first.trim().parse() == Ok(have))
}

fn open_at(part: &Path, start: u64) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(part)?;
    file.set_len(start)?;
    file.seek(SeekFrom::Start(start))?;
    Ok(file)
}

fn remove(path: &Path) -> Result<(), FetchError> {
    fs::remove_file(path).map_err(|source| io_error(path, source))
}

fn md5_of(path: &Path) -> Result<String, FetchError> {
    let hash = || -> io::Result<Md5> {
        let mut hasher = Md5::new();
        io::copy(&mut File::open(path)?, &mut hasher)?;
        Ok(hasher)
    };
    let digest = hash().map_err(|source| io_error(path, source))?.finalize();
    Ok(hex(&digest))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string never fails");
        text
    })
}

fn io_error(path: &Path, source: io::Error) -> FetchError {
    FetchError::Io {
        path: path.into(),
        source,
    }
}
