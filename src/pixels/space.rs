//! The two colour spaces that pictures are worked on in.

/// A colour space. Both have the same tone curve and white, so that greys are the same numbers in either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Space {
    /// What screens and the networks know.
    #[default]
    Srgb,
    /// A quarter more colours, as phones and better screens show.
    DisplayP3,
}

/// From linear sRGB to linear Display P3, and back; rows add up to 1.
const TO_P3: [[f32; 3]; 3] = [
    [0.822_462, 0.177_538, 0.0],
    [0.033_194_2, 0.966_805_8, 0.0],
    [0.017_082_7, 0.072_397_4, 0.910_519_9],
];
const FROM_P3: [[f32; 3]; 3] = [
    [1.224_940_2, -0.224_940_2, 0.0],
    [-0.042_057_1, 1.042_057_1, 0.0],
    [-0.019_637_6, -0.078_636_1, 1.098_273_7],
];

impl Space {
    /// The name that canvases use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Srgb => "srgb",
            Self::DisplayP3 => "display-p3",
        }
    }

    /// The space of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Srgb, Self::DisplayP3]
            .into_iter()
            .find(|space| space.name() == name)
    }

    /// A colour of this space, 255 for white, as one of `to`. Neither side is clamped.
    pub(crate) fn convert(self, colour: [f32; 3], to: Space) -> [f32; 3] {
        let matrix = match (self, to) {
            (Self::Srgb, Self::DisplayP3) => TO_P3,
            (Self::DisplayP3, Self::Srgb) => FROM_P3,
            _ => return colour,
        };
        let [r, g, b] = colour.map(|value| decode(value / 255.0));
        matrix.map(|[x, y, z]| 255.0 * encode(x * r + y * g + z * b))
    }
}

/// Light of a value, by the curve of sRGB, which goes on as its mirror image below 0.
fn decode(value: f32) -> f32 {
    let size = value.abs();
    let light = if size <= 0.040_45 {
        size / 12.92
    } else {
        ((size + 0.055) / 1.055).powf(2.4)
    };
    light.copysign(value)
}

/// Value of a light.
pub(super) fn encode(light: f32) -> f32 {
    let size = light.abs();
    let value = if size <= 0.003_130_8 {
        size * 12.92
    } else {
        1.055 * size.powf(1.0 / 2.4) - 0.055
    };
    value.copysign(light)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_come_back_also_from_beyond_the_gamut() {
        for colour in [
            [230.0, 40.0, 40.0],
            [-20.0, 300.0, 12.0],
            [0.0; 3],
            [255.0; 3],
        ] {
            let there = Space::Srgb.convert(colour, Space::DisplayP3);
            let back = Space::DisplayP3.convert(there, Space::Srgb);
            for (a, b) in colour.iter().zip(back) {
                assert!((a - b).abs() < 0.02, "{colour:?} came back as {back:?}");
            }
        }
    }

    #[test]
    fn greys_are_the_same_in_both() {
        for grey in 0..=255 {
            let there = Space::Srgb.convert([grey as f32; 3], Space::DisplayP3);
            assert!(
                there.iter().all(|value| (value - grey as f32).abs() < 0.01),
                "{there:?}"
            );
        }
    }
}
