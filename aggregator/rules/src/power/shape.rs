//! The shapes that a curve may have: a grid of workloads, without their level.

use std::sync::LazyLock;

use rightsizer_records::Megabytes;

use super::workload::Workload;

/// Share of CPU time in a duration on one full core. Small shares are finely spaced, because at 128 MB they take
/// 14 times as long.
const SHARES: [f64; 12] = [
    0.0, 0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 0.6, 0.8, 0.95, 1.0,
];
const CORES: [f64; 5] = [1.0, 1.5, 2.0, 3.0, 6.0];
const OVERLAPS: [f64; 3] = [1.0, 2.0, 4.0];
const BURSTS: [f64; 5] = [0.0, 1.0, 2.0, 4.0, 8.0];

/// A workload that takes 1 ms on one core, of which `cpu_ms` is CPU time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shape(pub(super) Workload);

impl Shape {
    /// Returns the logarithm of the duration at `size`, up to the function's level.
    pub(super) fn ln_duration(self, size: Megabytes) -> f64 {
        self.0.duration_ms(size).ln()
    }

    /// Returns the average number of cores in use at `size`: CPU time ÷ duration.
    pub(super) fn cores_used(self, size: Megabytes) -> f64 {
        self.0.cpu_ms / self.0.duration_ms(size)
    }
}

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(grid);

/// Returns all shapes. Their order is fixed, because the weights of a prior depend on it.
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
            // Without waiting time there is nothing to overlap.
            let overlaps = OVERLAPS.into_iter().skip(1).filter(|_| share < 1.0);
            overlaps.for_each(|overlap| add(share, cores, overlap, 0.0));
        }
    }
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One shape that only waits; ten shares × five core counts × (five bursts + two overlaps); and 5 × 5 shapes
    /// that only compute, without overlaps.
    #[test]
    fn the_grid_has_each_shape_once() {
        assert_eq!(shapes().len(), 1 + 10 * 5 * 7 + 5 * 5);
        for (n, shape) in shapes().iter().enumerate() {
            assert!(!shapes()[..n].contains(shape), "{shape:?}");
            assert!((shape.0.wait_ms + shape.0.cpu_ms - 1.0).abs() < 1e-12);
        }
    }
}
