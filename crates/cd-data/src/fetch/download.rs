//! One resumable download with known size and checksum.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use md5::{Digest, Md5};
use ureq::http::Response;
use ureq::{Agent, Body};

use super::FetchError;
use cd_models::{Progress, Task};

/// Bytes moved at once.
const BUFFER: usize = 64 << 10;
/// Longest wait for a connection, an answer or the next bytes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A file to download and how to tell that it is the right one.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) url: String,
    pub(super) file_name: &'static str,
    pub(super) bytes: u64,
    /// Lower-case hexadecimal.
    pub(super) md5: String,
}

impl Download {
    /// Downloads into the folder `target`; returns the path of the file.
    pub(super) fn run(
        &self,
        target: &Path,
        progress: &dyn Progress,
    ) -> Result<PathBuf, FetchError> {
        let path = target.join(self.file_name);
        if path.exists() {
            return self.check_existing(path);
        }
        if !self.url.starts_with("https://") && !self.url.starts_with("http://") {
            return Err(FetchError::Address {
                url: self.url.clone(),
            });
        }
        fs::create_dir_all(target).map_err(|source| io_error(target, source))?;
        let part = target.join(format!("{}.part", self.file_name));
        if self.usable_length(&part)? < self.bytes {
            self.transfer(&part, &path, progress)?;
        }
        self.check_part(&part)?;
        fs::rename(&part, &path).map_err(|source| io_error(&path, source))?;
        Ok(path)
    }

    fn check_existing(&self, path: PathBuf) -> Result<PathBuf, FetchError> {
        if length(&path)? == self.bytes && md5_of(&path)? == self.md5 {
            return Ok(path);
        }
        Err(FetchError::Occupied {
            path,
            expected: self.bytes,
            md5: self.md5.clone(),
        })
    }

    /// Length of what an earlier run left; a file that cannot be a part of this one counts nothing.
    fn usable_length(&self, part: &Path) -> Result<u64, FetchError> {
        if !part.exists() {
            return Ok(0);
        }
        let length = length(part)?;
        Ok(if length > self.bytes { 0 } else { length })
    }

    fn transfer(
        &self,
        part: &Path,
        by_hand: &Path,
        progress: &dyn Progress,
    ) -> Result<(), FetchError> {
        let have = self.usable_length(part)?;
        let mut response = self.request(have, by_hand)?;
        let mut status = response.status().as_u16();
        if status == 416 && have > 0 {
            response = self.request(0, by_hand)?;
            status = response.status().as_u16();
        }
        let start = match status {
            206 if continues_at(&response, have) => have,
            // The server ignored the range and sends everything.
            200 => 0,
            _ => {
                return Err(FetchError::Status {
                    url: self.url.clone(),
                    status,
                    by_hand: by_hand.into(),
                });
            }
        };
        let task = Task::start(
            progress,
            &format!("downloading {}", self.file_name),
            Some(self.bytes),
        );
        task.advance(start);
        self.save(response, part, start, &task)
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
        let mut request = agent.get(&self.url);
        if from > 0 {
            request = request.header("Range", format!("bytes={from}-"));
        }
        request.call().map_err(|error| FetchError::Unreachable {
            url: self.url.clone(),
            reason: error.to_string(),
            by_hand: by_hand.into(),
        })
    }

    /// Writes the body behind the first `start` bytes of `part`.
    fn save(
        &self,
        response: Response<Body>,
        part: &Path,
        start: u64,
        task: &Task<'_>,
    ) -> Result<(), FetchError> {
        let mut file = open_at(part, start).map_err(|source| io_error(part, source))?;
        // One byte more than expected, to notice a longer file without storing all of it.
        let mut body = response
            .into_body()
            .into_reader()
            .take(self.bytes - start + 1);
        let mut buffer = vec![0; BUFFER];
        let mut got = start;
        let interrupted = |got, reason| FetchError::Interrupted {
            url: self.url.clone(),
            got,
            expected: self.bytes,
            reason,
        };
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(interrupted(got, error.to_string())),
            };
            file.write_all(&buffer[..count])
                .map_err(|source| io_error(part, source))?;
            got += count as u64;
            task.advance(count as u64);
        }
        file.sync_all().map_err(|source| io_error(part, source))?;
        if got > self.bytes {
            remove(part)?;
            return Err(FetchError::TooLong {
                url: self.url.clone(),
                expected: self.bytes,
            });
        }
        if got < self.bytes {
            return Err(interrupted(got, "the server closed the connection".into()));
        }
        Ok(())
    }

    fn check_part(&self, part: &Path) -> Result<(), FetchError> {
        let got = md5_of(part)?;
        if got == self.md5 {
            return Ok(());
        }
        remove(part)?;
        Err(FetchError::Checksum {
            url: self.url.clone(),
            expected: self.md5.clone(),
            got,
        })
    }
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

fn length(path: &Path) -> Result<u64, FetchError> {
    Ok(fs::metadata(path)
        .map_err(|source| io_error(path, source))?
        .len())
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
