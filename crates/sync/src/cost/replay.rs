//! Replays pushes in simulated time: what they send, as it was recorded, on lines and machines of
//! other speeds. Compared with the best level in hindsight, kept from the beginning to the end, the
//! choice of the model costs little.

use std::time::Duration;

use assetsync_core::protocol::Receipt;

use super::levels::{Cpu, Level, PATCHES, STREAM, soonest_for_patches};
use super::line::Line;
use super::line_rate::LineRate;
use crate::encode::stream_level::{Period, StreamLevel};

/// Bytes of content that are compressed in one go.
const PIECE: f64 = 128e3;

/// Bytes that fit in buffers between the encoder and the agent.
const BUFFER: f64 = 2e6;

/// Bytes that a new frame costs, since it begins without the content before.
const NEW_FRAME: f64 = 100e3;

/// Seconds of a push besides sending content: connecting, surveying, publishing.
const REST: f64 = 0.25;

/// A line, in seconds since the beginning.
struct SimulatedLine {
    rate: f64,
    /// When everything that was written has arrived.
    idle_at: f64,
    written: f64,
    blocked: f64,
    receipts: LineRate,
    acknowledged: f64,
}

impl SimulatedLine {
    fn new(rate: f64) -> SimulatedLine {
        let receipts = LineRate::default();
        let (idle_at, written, blocked, acknowledged) = (0.0, 0.0, 0.0, 0.0);
        SimulatedLine { rate, idle_at, written, blocked, receipts, acknowledged }
    }

    /// Writes at `now`. Returns when writing is done.
    fn write(&mut self, now: f64, bytes: f64) -> f64 {
        self.read_receipts(now);
        self.idle_at = self.idle_at.max(now) + bytes / self.rate;
        self.written += bytes;
        let done = now.max(self.idle_at - BUFFER / self.rate);
        self.blocked += done - now;
        done
    }

    /// Reads, at `now`, the receipts that came since: sent when twice as much had arrived, or half
    /// a second after the last one.
    fn read_receipts(&mut self, now: f64) {
        let arrived = self.written - (self.idle_at - now).max(0.0) * self.rate;
        loop {
            let next = self.acknowledged + self.acknowledged.max(65_536.0).min(self.rate / 2.0);
            if next > arrived {
                break;
            }
            self.acknowledged = next;
        }
        let at = Duration::from_secs_f64(now);
        let receipt = Receipt { bytes: self.acknowledged as u64, waited: at };
        self.receipts.note(at, receipt, self.written as u64);
    }
}

/// A machine and a line as they are, and what is known of the line when the push begins.
#[derive(Debug, Clone, Copy)]
struct World {
    rate: f64,
    speed: f64,
    cores: usize,
    known: Line,
}

/// When a stream of content has arrived, at levels that `level` chooses.
fn stream(
    world: World,
    bytes: f64,
    mut level: impl FnMut(f64, f64, &mut SimulatedLine) -> Level,
) -> f64 {
    let (mut line, mut now, mut done) = (SimulatedLine::new(world.rate), 0.0, 0.0);
    let cpu = Cpu { cores: 1, speed: world.speed };
    let mut current = level(now, 0.0, &mut line);
    now += current.starting(cpu);
    while done < bytes {
        let piece = PIECE.min(bytes - done);
        now += current.compressing(piece as u64, cpu);
        now = line.write(now, current.sent(piece));
        done += piece;
        line.read_receipts(now);
        let next = level(now, done, &mut line);
        if next != current {
            now = line.write(now + next.starting(cpu), NEW_FRAME * (next.sent(1.0)));
            current = next;
        }
    }
    line.idle_at.max(now)
}

fn chosen_stream(world: World, bytes: f64) -> f64 {
    let mut model = StreamLevel::new(bytes as u64, world.known);
    let (mut last, mut blocked, mut begun) = (0.0, 0.0, 0.0);
    stream(world, bytes, |now, done, line| {
        let elapsed = Duration::from_secs_f64(now - last);
        if done > 0.0 && model.is_due(elapsed) {
            model.adapt(Period {
                elapsed,
                blocked: Duration::from_secs_f64(line.blocked - blocked),
                bytes: (done - begun) as u64,
                left: (bytes - done) as u64,
                line_rate: line.receipts.bytes_per_second(model.line().bytes_per_second()),
            });
            (last, blocked, begun) = (now, line.blocked, done);
        }
        model.current()
    })
}

/// When frames of patches have arrived: compressed on all cores, sent in order.
fn patches(
    world: World,
    frames: &[f64],
    mut level: impl FnMut([f64; 2], &mut SimulatedLine) -> Level,
) -> f64 {
    let mut line = SimulatedLine::new(world.rate);
    let mut cores = vec![0.0_f64; world.cores];
    let (mut left, mut written) = (frames.iter().sum::<f64>(), 0.0);
    for &bytes in frames {
        let core = cores.iter_mut().min_by(|a, b| a.total_cmp(b)).expect("a core");
        line.read_receipts(*core);
        let level = level([left, bytes], &mut line);
        *core += level.compressing(bytes as u64, Cpu { cores: 1, speed: world.speed });
        written = line.write(core.max(written), level.sent(bytes));
        left -= bytes;
    }
    line.idle_at.max(written)
}

fn chosen_patches(world: World, frames: &[f64]) -> f64 {
    let World { cores, speed, known, .. } = world;
    patches(world, frames, |left, line| {
        let rate = line.receipts.bytes_per_second(known.bytes_per_second());
        let left = left.map(|bytes| bytes as u64);
        soonest_for_patches(left, known.updated(rate), Cpu { cores, speed })
    })
}

/// Lines and machines, with what is known of the line before: nothing, or what it carried.
fn worlds() -> impl Iterator<Item = World> {
    let rates = [0.25e6, 1e6, 2.5e6, 12.5e6, 40e6, 125e6];
    let machines = [(0.4, 1), (0.4, 2), (1.0, 2), (2.0, 8)];
    rates.into_iter().flat_map(move |rate| {
        machines.into_iter().flat_map(move |(speed, cores)| {
            [Line::UNKNOWN, Line::remembered(rate as u64)].map(|known| World {
                rate,
                speed,
                cores,
                known,
            })
        })
    })
}

/// On a line that is known, within a tenth. On one that is not, what is sent before the first
/// receipts can't be right for all.
fn check(world: World, what: &str, chosen: f64, best: f64) {
    let regret = (chosen + REST) / (best + REST) - 1.0;
    let is_unknown = world.known == Line::UNKNOWN;
    let fits = regret <= 0.1 || is_unknown && (regret <= 0.2 || chosen - best <= 0.3);
    assert!(fits, "{what}, {world:?}: {chosen:.2} s instead of {best:.2} s");
}

#[test]
fn a_stream_ends_nearly_as_soon_as_with_the_best_level() {
    // Content that compresses: of home-assistant, n8n, directus, streamlit.
    for bytes in [98e6, 27e6, 10e6, 3e6] {
        for world in worlds() {
            let best = STREAM.iter().map(|&level| stream(world, bytes, |_, _, _| level));
            let best = best.fold(f64::INFINITY, f64::min);
            check(world, &format!("stream of {bytes}"), chosen_stream(world, bytes), best);
        }
    }
}

#[test]
fn patches_arrive_nearly_as_soon_as_with_the_best_level() {
    // New content of each frame: of directus 17.1.1, n8n 2.41.0, n8n 2.40.3.
    let recorded = [vec![290e3; 7], vec![410e3; 22], vec![60e3]];
    for frames in &recorded {
        for world in worlds() {
            let best = PATCHES.iter().map(|&level| patches(world, frames, |_, _| level));
            let best = best.fold(f64::INFINITY, f64::min);
            let chosen = chosen_patches(world, frames);
            check(world, &format!("{} frames", frames.len()), chosen, best);
        }
    }
}
