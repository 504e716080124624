//! The shapes that a curve may have: a grid over what workloads do, whatever they take.

use std::sync::LazyLock;

use rightsizer_records::Megabytes;

use super::workload::Workload;

/// Share of CPU time in a duration on one whole core. Small shares are many: at 128 MB a core is 14 times as slow.
const SHARES: [f64; 12] = [
    0.0, 0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.6, 0.8, 0.95, 1.0,
];
const CORES: [f64; 5] = [1.0, 1.5, 2.0, 3.0, 6.0];
const OVERLAPS: [f64; 3] = [1.0, 2.0, 4.0];
const BURSTS: [f64; 5] = [0.0, 1.0, 2.0, 4.0, 8.0];

/// A workload that takes 1 ms, of which the CPU share is `cpu_ms`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape(pub(super) Workload);

impl Shape {
    /// Logarithm of the duration at `size`, up to the function's own level.
    pub(super) fn ln_duration(self, size: Megabytes) -> f64 {
        self.0.duration_ms(size).ln()
    }

    /// Cores in use on average at `size`: CPU time ÷ duration.
    pub(super) fn cores_used(self, size: Megabytes) -> f64 {
        self.0.cpu_ms / self.0.duration_ms(size)
    }
}

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(grid);

/// All of them, always in the same order: a prior's weights are by it.
pub(super) fn shapes() -> &'static [Shape] {
    &SHAPES
}

fn grid() -> Vec<Shape> {
    let mut shapes = Vec::new();
    let mut add = |cpu_ms: f64, cores, overlap, burst| {
        let wait_ms = 1.0 - cpu_ms;
        shapes.push(Shape(Workload {
            wait_ms,
            cpu_ms,
            cores,
            overlap,
            burst,
        }));
    };
    for share in SHARES {
        if share == 0.0 {
            add(share, 1.0, 1.0, 0.0);
            continue;
        }
        for cores in CORES {
            for burst in BURSTS {
                add(share, cores, 1.0, burst);
            }
            // With nothing to wait for there is nothing to overlap.
            let overlaps = OVERLAPS.into_iter().skip(1).filter(|_| share < 1.0);
            overlaps.for_each(|overlap| add(share, cores, overlap, 0.0));
        }
    }
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One that only waits; ten shares × five numbers of cores × (five bursts + two overlaps); and all CPU
    /// without overlaps, 5 × 5.
    #[test]
    fn the_grid_has_each_shape_once() {
        assert_eq!(shapes().len(), 1 + 10 * 5 * 7 + 5 * 5);
        for (n, shape) in shapes().iter().enumerate() {
            assert!(!shapes()[..n].contains(shape), "{shape:?}");
            assert!((shape.0.wait_ms + shape.0.cpu_ms - 1.0).abs() < 1e-12);
        }
    }
}
