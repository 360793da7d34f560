//! One write a frame: bytes are gathered, bracketed by a synchronized update, and written at once.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// Gathers what ratatui writes; `flush` does nothing, [`FrameWriter::take`] gives the frame.
#[derive(Debug, Clone, Default)]
pub struct FrameWriter(Arc<Mutex<Vec<u8>>>);

impl FrameWriter {
    /// The bytes of the frame, bracketed; empty when nothing changed.
    pub fn take(&self) -> Vec<u8> {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buffer.is_empty() {
            return Vec::new();
        }
        let mut frame = Vec::with_capacity(buffer.len() + BEGIN.len() + END.len());
        frame.extend_from_slice(BEGIN);
        frame.append(&mut buffer);
        frame.extend_from_slice(END);
        frame
    }

    /// Writes the frame to the terminal.
    pub fn send(&self) -> std::io::Result<()> {
        let frame = self.take();
        if frame.is_empty() {
            return Ok(());
        }
        let mut out = std::io::stdout().lock();
        out.write_all(&frame)?;
        out.flush()
    }
}

impl Write for FrameWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_one_piece_and_nothing_stays_nothing() {
        let mut writer = FrameWriter::default();
        assert!(writer.take().is_empty());
        writer.write_all(b"a").unwrap();
        writer.flush().unwrap();
        writer.write_all(b"b").unwrap();
        assert_eq!(writer.take(), b"\x1b[?2026hab\x1b[?2026l");
        assert!(writer.take().is_empty());
    }
}
