//! One write a frame: bytes are gathered, bracketed by a synchronized update, and written at once.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

/// A frame of so few bytes arrives in one piece anyway: it needs no brackets.
const SMALL: usize = 256;

/// What ratatui writes after each frame (0.30): four resets where one does, and that the cursor is hidden, which it is already.
const TAIL: &[u8] = b"\x1b[39m\x1b[49m\x1b[59m\x1b[0m\x1b[?25l";
const SHORT_TAIL: &[u8] = b"\x1b[0m";

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
        if buffer.ends_with(TAIL) {
            let end = buffer.len() - TAIL.len();
            buffer.truncate(end);
            buffer.extend_from_slice(SHORT_TAIL);
        }
        if buffer.len() <= SMALL {
            return std::mem::take(&mut buffer);
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
        write_out(&frame)
    }
}

/// Writes to the terminal, past the frame.
pub fn write_out(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush())
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
        let large = vec![b'a'; SMALL];
        writer.write_all(&large).unwrap();
        writer.flush().unwrap();
        writer.write_all(b"b").unwrap();
        assert_eq!(writer.take(), [BEGIN, &large, b"b", END].concat());
        assert!(writer.take().is_empty());
    }

    #[test]
    fn a_small_frame_is_sent_as_it_is_and_its_tail_is_short() {
        let mut writer = FrameWriter::default();
        writer.write_all(b"x").unwrap();
        writer.write_all(TAIL).unwrap();
        assert_eq!(writer.take(), b"x\x1b[0m");
    }

    /// The tail is ratatui's own: when it writes another one, the saving is gone and this says so.
    #[test]
    fn ratatui_still_writes_that_tail() {
        let writer = FrameWriter::default();
        let backend = ratatui::backend::CrosstermBackend::new(writer.clone());
        let viewport = ratatui::Viewport::Fixed(ratatui::layout::Rect::new(0, 0, 8, 1));
        let options = ratatui::TerminalOptions { viewport };
        let mut terminal = ratatui::Terminal::with_options(backend, options).unwrap();
        terminal.draw(|frame| frame.render_widget("hello", frame.area())).unwrap();
        let written = writer.0.lock().unwrap().clone();
        assert!(written.ends_with(TAIL), "{:?}", String::from_utf8_lossy(&written));
    }
}
