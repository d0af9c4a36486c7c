//! Random numbers that are the same on every device.

use std::f64::consts::TAU;

/// `count` numbers of the normal distribution: those of draw `index` of a seed.
pub fn normals(seed: u64, index: u64, count: usize) -> Vec<f32> {
    let mut state = mixed(seed) ^ mixed(index.wrapping_add(0x5851_F42D_4C95_7F2D));
    let mut uniform = move || {
        // SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        (mixed(state) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let pairs = (0..count.div_ceil(2)).flat_map(|_| {
        // Box and Muller's transform.
        let (radius, angle) = ((-2.0 * (1.0 - uniform()).ln()).sqrt(), TAU * uniform());
        [radius * angle.cos(), radius * angle.sin()]
    });
    pairs.take(count).map(|value| value as f32).collect()
}

fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_normal_and_differ_between_draws() {
        let all: Vec<f32> = (0..200).flat_map(|index| normals(7, index, 101)).collect();
        let moment = |power: i32| {
            let sum: f64 = all.iter().map(|&v| f64::from(v).powi(power)).sum();
            sum / all.len() as f64
        };
        for (power, expected) in [(1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)] {
            let found = moment(power);
            assert!((found - expected).abs() < 0.15, "moment {power}: {found}");
        }
        assert_eq!(normals(7, 3, 5), normals(7, 3, 5));
        assert_ne!(normals(7, 3, 5), normals(7, 4, 5));
        assert_ne!(normals(7, 3, 5), normals(8, 3, 5));
        // Neighbouring draws and seeds have nothing in common.
        for (seed, index) in [(7, 4), (8, 3), (3, 7)] {
            let (a, b) = (normals(7, 3, 4000), normals(seed, index, 4000));
            let together: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            assert!(together.abs() / 4000.0 < 0.06, "{together}");
        }
    }
}
