//! Where the bytes of an archive come from: read forward, pass over what is not wanted.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes in order. Reading blocks; use it where that is allowed.
pub trait Bytes {
    /// Reads some bytes; 0 only at the end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Passes over `count` bytes, or over fewer when the end comes first; says how many there were.
    fn skip(&mut self, count: u64) -> io::Result<u64>;
}

/// Fills the buffer as far as there are bytes.
pub fn fill(bytes: &mut dyn Bytes, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match bytes.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// A local file; passing over costs nothing.
#[derive(Debug)]
pub struct FileBytes {
    file: File,
    at: u64,
    size: u64,
}

impl FileBytes {
    /// Opens a regular file.
    ///
    /// # Errors
    /// What the system says; `InvalidInput` for what is no regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Looked at before it is opened: opening a pipe would wait for its writer.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { file, at: 0, size })
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Goes to an offset.
    ///
    /// # Errors
    /// What the system says.
    pub fn seek(&mut self, at: u64) -> io::Result<()> {
        self.at = at.min(self.size);
        self.file.seek(SeekFrom::Start(self.at)).map(drop)
    }
}

impl Bytes for FileBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.at += n as u64;
        Ok(n)
    }

    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let count = count.min(self.size.saturating_sub(self.at));
        self.seek(self.at + count)?;
        Ok(count)
    }
}

/// Anything that can be read, from its start; passing over means reading.
pub struct StreamBytes<R>(pub R);

impl<R: Read> Bytes for StreamBytes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }

    fn skip(&mut self, count: u64) -> io::Result<u64> {
        io::copy(&mut self.0.by_ref().take(count), &mut io::sink())
    }
}

/// The next `left` bytes of others: the body of an entry.
pub struct Limited<'a> {
    inner: &'a mut dyn Bytes,
    left: u64,
}

impl<'a> Limited<'a> {
    /// No more than `left` bytes of `inner`.
    pub fn new(inner: &'a mut dyn Bytes, left: u64) -> Self {
        Self { inner, left }
    }

    /// Bytes that were not read.
    pub fn left(&self) -> u64 {
        self.left
    }
}

impl Bytes for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let n = self.inner.read(&mut buffer[..room])?;
        self.left -= n as u64;
        Ok(n)
    }

    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let n = self.inner.skip(count.min(self.left))?;
        self.left -= n;
        Ok(n)
    }
}

/// A sparse body with its holes filled in.
pub struct Expanded<'a> {
    inner: &'a mut dyn Bytes,
    spans: std::vec::IntoIter<(u64, u64)>,
    span: (u64, u64),
    at: u64,
    size: u64,
}

impl<'a> Expanded<'a> {
    /// `spans` are the ascending `(offset, length)` that `inner` holds end to end, of a file of `size` bytes.
    pub fn new(inner: &'a mut dyn Bytes, spans: Vec<(u64, u64)>, size: u64) -> Self {
        Self { inner, spans: spans.into_iter(), span: (0, 0), at: 0, size }
    }

    /// Bytes of a hole from here on, and of the span after it.
    fn ahead(&mut self) -> (u64, u64) {
        while self.at >= self.span.0 + self.span.1 {
            match self.spans.next() {
                Some(next) => self.span = next,
                None => return (self.size.saturating_sub(self.at), 0),
            }
        }
        let hole = self.span.0.saturating_sub(self.at);
        (hole, self.span.0 + self.span.1 - self.at - hole)
    }
}

impl Bytes for Expanded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (hole, solid) = self.ahead();
        let room = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX).min(buffer.len());
        let n = if hole > 0 {
            let n = room(hole);
            buffer[..n].fill(0);
            n
        } else if solid > 0 {
            let n = room(solid);
            self.inner.read(&mut buffer[..n])?
        } else {
            0
        };
        self.at += n as u64;
        Ok(n)
    }

    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let mut left = count;
        while left > 0 {
            let (hole, solid) = self.ahead();
            let n = match (hole, solid) {
                (0, 0) => break,
                (0, solid) => self.inner.skip(left.min(solid))?,
                (hole, _) => left.min(hole),
            };
            if n == 0 {
                break;
            }
            self.at += n;
            left -= n;
        }
        Ok(count - left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &mut dyn Bytes) -> Vec<u8> {
        let mut buffer = vec![0; 1000];
        let n = fill(bytes, &mut buffer).unwrap();
        buffer.truncate(n);
        buffer
    }

    #[test]
    fn a_limit_is_kept() {
        let mut inner = StreamBytes(&b"abcdefgh"[..]);
        let mut limited = Limited::new(&mut inner, 5);
        assert_eq!(limited.skip(2).unwrap(), 2);
        assert_eq!(all(&mut limited), b"cde");
        assert_eq!(limited.skip(9).unwrap(), 0);
        assert_eq!(all(&mut inner), b"fgh");
    }

    #[test]
    fn holes_are_filled_in_and_passed_over() {
        let spans = || vec![(2, 3), (7, 2), (12, 0)];
        let whole = b"\0\0abc\0\0de\0\0\0";
        for skipped in 0..=14 {
            let mut inner = StreamBytes(&b"abcde"[..]);
            let mut expanded = Expanded::new(&mut inner, spans(), 12);
            assert_eq!(expanded.skip(skipped).unwrap(), skipped.min(12));
            assert_eq!(all(&mut expanded), whole[(skipped as usize).min(12)..]);
        }
    }

    #[test]
    fn what_is_no_file_is_refused() {
        assert!(FileBytes::open(Path::new("/")).is_err());
        assert!(FileBytes::open(Path::new("/dev/zero")).is_err());
    }
}
