//! What the numbers of a file mean, and how they become numbers of a working space.

use image::DynamicImage;
use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, CmsError, ColorPrimaries, ColorProfile,
    DataColorSpace, Layout, MatrixCoefficients, ProfileText, RenderingIntent, ToneReprCurve,
    TransferCharacteristics, TransformOptions,
};

use super::{
    note::Note,
    space::{self, Space},
};

/// How a file says what its numbers mean.
#[derive(Debug)]
pub(super) enum Colours {
    /// It does not, or says sRGB.
    Srgb,
    /// By an ICC profile.
    Profile(Vec<u8>),
    /// By the numbers of ITU-T H.273: primaries, transfer function, and two that do not concern RGB.
    Coded([u8; 4]),
    /// By a power and perhaps the chromaticities of white, red, green and blue, all times 100,000.
    Gamma {
        gamma: u32,
        chromaticities: Option<[u32; 8]>,
    },
}

/// Transfer functions and primaries that every decoder takes for those of sRGB.
const USUAL_TRANSFER: [u8; 6] = [1, 2, 6, 13, 14, 15];
const USUAL_PRIMARIES: [u8; 4] = [1, 2, 5, 6];
/// Primaries of Display P3.
const P3_PRIMARIES: u8 = 12;

/// Light outside sRGB, of the most colourful colours of a profile, from which it counts as wide.
const WIDE: f64 = 0.02;
/// Largest difference of a share of light between spaces that count as one.
const SAME: f64 = 0.003;
/// The power of PNG files that say nothing else by which their writers mean sRGB, and how much it is rounded.
const USUAL_GAMMA: u32 = 45_455;
const ROUNDING: u32 = 50;

/// How a picture's numbers become those of a working space.
pub(super) struct ColourConversion {
    /// The working space.
    pub space: Space,
    /// What to convert from; `None` if the numbers are right as they are.
    from: Option<ColorProfile>,
    /// What the owner should know.
    pub note: Option<Note>,
}

impl Colours {
    /// The conversion for a picture with these colours.
    pub fn conversion(&self, grey: bool) -> ColourConversion {
        let as_it_is = |space| ColourConversion {
            space,
            from: None,
            note: None,
        };
        let profile = match self {
            Self::Srgb => return as_it_is(Space::Srgb),
            Self::Coded([primaries, transfer, ..]) if USUAL_TRANSFER.contains(transfer) => {
                match *primaries {
                    P3_PRIMARIES => return as_it_is(Space::DisplayP3),
                    primaries if USUAL_PRIMARIES.contains(&primaries) => {
                        return as_it_is(Space::Srgb);
                    }
                    _ => self.profile(),
                }
            }
            Self::Gamma {
                gamma,
                chromaticities,
            } if chromaticities.is_none() && gamma.abs_diff(USUAL_GAMMA) <= ROUNDING => {
                return as_it_is(Space::Srgb);
            }
            _ => self.profile(),
        };
        let conversion = profile.and_then(|profile| chosen(profile, grey, self.label()));
        conversion.unwrap_or_else(ColourConversion::without_profile)
    }

    fn label(&self) -> Option<&'static str> {
        match self {
            Self::Coded(_) => Some("numbered colour space"),
            Self::Gamma { .. } => Some("gamma of its own"),
            _ => None,
        }
    }

    fn profile(&self) -> Option<ColorProfile> {
        match self {
            Self::Srgb => Some(ColorProfile::new_srgb()),
            Self::Profile(bytes) => ColorProfile::new_from_slice(bytes).ok(),
            Self::Coded([primaries, transfer, ..]) => {
                let coded = CicpProfile {
                    color_primaries: CicpColorPrimaries::try_from(*primaries).ok()?,
                    transfer_characteristics: TransferCharacteristics::try_from(*transfer).ok()?,
                    matrix_coefficients: MatrixCoefficients::Identity,
                    full_range: true,
                };
                let profile = ColorProfile::new_from_cicp(coded);
                profile.is_matrix_shaper().then_some(profile)
            }
            Self::Gamma {
                gamma,
                chromaticities,
            } => {
                let mut profile = ColorProfile::new_srgb();
                let curve = ToneReprCurve::Parametric(vec![1e5 / *gamma as f32]);
                profile.cicp = None;
                profile.red_trc = Some(curve.clone());
                profile.green_trc = Some(curve.clone());
                profile.blue_trc = Some(curve);
                if let Some(numbers) = chromaticities {
                    let point = |at: usize| {
                        let [x, y] = [numbers[at], numbers[at + 1]].map(|n| n as f32 / 1e5);
                        (y > 0.0).then(|| Chromaticity::new(x, y))
                    };
                    let primaries = ColorPrimaries {
                        red: point(2)?,
                        green: point(4)?,
                        blue: point(6)?,
                    };
                    profile.update_rgb_colorimetry(point(0)?.to_xyyb(), primaries);
                }
                Some(profile)
            }
        }
    }
}

fn options() -> TransformOptions {
    TransformOptions {
        rendering_intent: RenderingIntent::RelativeColorimetric,
        allow_use_cicp_transfer: false,
        ..TransformOptions::default()
    }
}

/// A working space as a profile.
pub(super) fn profile_of(space: Space) -> ColorProfile {
    let mut profile = match space {
        Space::Srgb => ColorProfile::new_srgb(),
        Space::DisplayP3 => ColorProfile::new_display_p3(),
    };
    profile.cicp = None;
    profile
}

/// RGB bytes of a profile as those of a working space.
fn colours_in(profile: &ColorProfile, space: Space, rgb: &[u8]) -> Result<Vec<u8>, CmsError> {
    let transform =
        profile.create_transform_8bit(Layout::Rgb, &profile_of(space), Layout::Rgb, options())?;
    let mut converted = vec![0; rgb.len()];
    transform.transform(rgb, &mut converted)?;
    Ok(converted)
}

/// Chooses the space, and whether there is anything to convert; `None` for a profile of inks.
fn chosen(profile: ColorProfile, grey: bool, label: Option<&str>) -> Option<ColourConversion> {
    let (space, same) = match profile.color_space {
        DataColorSpace::Gray if grey => {
            let same = profile.gray_trc.as_ref().is_some_and(is_curve_of_srgb);
            (Space::Srgb, same)
        }
        DataColorSpace::Rgb if profile.is_matrix_shaper() => {
            let vivid = profile.transform_matrix(&profile_of(Space::Srgb)).v;
            let wide = vivid.as_flattened().iter().any(|light| *light < -WIDE);
            let space = if wide && !grey {
                Space::DisplayP3
            } else {
                Space::Srgb
            };
            let matrix = profile.transform_matrix(&profile_of(space)).v;
            let identity = |row: usize, column: usize| if row == column { 1.0 } else { 0.0 };
            let near = |at: usize| {
                let (row, column) = (at / 3, at % 3);
                (matrix[row][column] - identity(row, column)).abs() < SAME
            };
            let curves = [&profile.red_trc, &profile.green_trc, &profile.blue_trc];
            let curves = curves.into_iter().flatten().all(is_curve_of_srgb);
            (space, (grey || (0..9).all(near)) && curves)
        }
        // What only a table tells is kept as far as can be.
        DataColorSpace::Rgb => (if grey { Space::Srgb } else { Space::DisplayP3 }, false),
        _ => return None,
    };
    if same {
        return Some(ColourConversion {
            space,
            from: None,
            note: None,
        });
    }
    let name = label.map_or_else(|| name(&profile), str::to_owned);
    Some(ColourConversion {
        space,
        from: Some(profile),
        note: Some(Note::ProfileConverted { name }),
    })
}

/// Whether a tone curve is that of sRGB, as far as bytes can tell.
fn is_curve_of_srgb(curve: &ToneReprCurve) -> bool {
    (0..=255).all(|level| {
        let value = f32::from(level as u8) / 255.0;
        light(curve, value).is_some_and(|light| (space::encode(light) - value).abs() < 1.0 / 255.0)
    })
}

/// The light of a value by a tone curve of a profile; `None` for a curve of an unknown form.
fn light(curve: &ToneReprCurve, value: f32) -> Option<f32> {
    match curve {
        ToneReprCurve::Lut(table) => match table[..] {
            [] => Some(value),
            [gamma] => Some(value.powf(f32::from(gamma) / 256.0)),
            _ => {
                let at = value * (table.len() - 1) as f32;
                let below = (at as usize).min(table.len() - 2);
                let [a, b] = [table[below], table[below + 1]].map(|v| f32::from(v) / 65_535.0);
                Some(a + (at - below as f32) * (b - a))
            }
        },
        ToneReprCurve::Parametric(numbers) => match numbers[..] {
            [gamma] => Some(value.powf(gamma)),
            [gamma, a, b, c, d] if value < d => {
                Some(c * value).filter(|_| gamma > 0.0 && a + b > 0.0)
            }
            [gamma, a, b, _, _] => Some((a * value + b).powf(gamma)),
            [_, _, _, c, d, _, f] if value < d => Some(c * value + f),
            [gamma, a, b, _, _, e, _] => Some((a * value + b).powf(gamma) + e),
            _ => None,
        },
    }
}

/// What a profile calls itself.
fn name(profile: &ColorProfile) -> String {
    let text = match &profile.description {
        Some(ProfileText::PlainString(text)) => text.as_str(),
        Some(ProfileText::Localizable(texts)) => texts.first().map_or("", |text| &text.value),
        Some(ProfileText::Description(text)) => &text.ascii_string,
        None => "",
    };
    let shown: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
    if shown.is_empty() {
        "unnamed".to_owned()
    } else {
        shown
    }
}

/// Levels of grey in sRGB.
fn greys(profile: &ColorProfile, levels: &[u8]) -> Result<Vec<u8>, CmsError> {
    if profile.color_space != DataColorSpace::Gray {
        let rgb: Vec<u8> = levels.iter().flat_map(|&level| [level; 3]).collect();
        let converted = colours_in(profile, Space::Srgb, &rgb)?;
        return Ok(converted.chunks_exact(3).map(|colour| colour[1]).collect());
    }
    let srgb = profile_of(Space::Srgb);
    let transform = profile.create_transform_8bit(Layout::Gray, &srgb, Layout::Rgb, options())?;
    let mut converted = vec![0; 3 * levels.len()];
    transform.transform(levels, &mut converted)?;
    Ok(converted.chunks_exact(3).map(|colour| colour[1]).collect())
}

/// Pixels that are converted at a time.
const PART: usize = 1 << 14;

impl ColourConversion {
    /// Takes the numbers for sRGB because the profile cannot be read.
    fn without_profile() -> Self {
        Self {
            space: Space::Srgb,
            from: None,
            note: Some(Note::ProfileUnreadable),
        }
    }

    /// This conversion, or the one without a profile if the profile turns out to be unusable.
    pub fn usable(self) -> Self {
        let usable = |profile: &ColorProfile| match profile.color_space {
            DataColorSpace::Gray => greys(profile, &[0]).is_ok(),
            _ => colours_in(profile, self.space, &[0; 3]).is_ok(),
        };
        if self.from.as_ref().is_none_or(usable) {
            self
        } else {
            Self::without_profile()
        }
    }

    /// RGBA bytes of a decoded picture in the working space.
    pub fn apply(&self, picture: DynamicImage) -> Result<Vec<u8>, CmsError> {
        use DynamicImage::{ImageLuma16, ImageLumaA16, ImageRgb16, ImageRgba16};
        let grey = !picture.color().has_color();
        if matches!(
            picture,
            ImageLuma16(_) | ImageLumaA16(_) | ImageRgb16(_) | ImageRgba16(_)
        ) {
            let width = picture.width() as usize;
            let mut rgba = picture.into_rgba16().into_raw();
            if let Some(profile) = &self.from {
                self.convert_16(profile, &mut rgba, grey)?;
            }
            return Ok(dithered(&rgba, width));
        }
        let mut rgba = picture.into_rgba8().into_raw();
        let Some(profile) = &self.from else {
            return Ok(rgba);
        };
        if grey {
            let levels = greys(profile, &(0..=255).collect::<Vec<u8>>())?;
            for pixel in rgba.chunks_exact_mut(4) {
                let level = levels[usize::from(pixel[0])];
                pixel[..3].fill(level);
            }
            return Ok(rgba);
        }
        let to = profile_of(self.space);
        let transform =
            profile.create_transform_8bit(Layout::Rgba, &to, Layout::Rgba, options())?;
        let mut from = Vec::new();
        for part in rgba.chunks_mut(4 * PART) {
            from.clear();
            from.extend_from_slice(part);
            transform.transform(&from, part)?;
        }
        Ok(rgba)
    }

    fn convert_16(
        &self,
        profile: &ColorProfile,
        rgba: &mut [u16],
        grey: bool,
    ) -> Result<(), CmsError> {
        let to = profile_of(self.space);
        let mut from = Vec::new();
        if profile.color_space == DataColorSpace::Gray {
            let transform =
                profile.create_transform_16bit(Layout::Gray, &to, Layout::Rgb, options())?;
            let mut converted = Vec::new();
            for part in rgba.chunks_mut(4 * PART) {
                from.clear();
                from.extend(part.chunks_exact(4).map(|pixel| pixel[0]));
                converted.resize(3 * from.len(), 0);
                transform.transform(&from, &mut converted)?;
                for (pixel, colour) in part.chunks_exact_mut(4).zip(converted.chunks_exact(3)) {
                    pixel[..3].fill(colour[1]);
                }
            }
            return Ok(());
        }
        let transform =
            profile.create_transform_16bit(Layout::Rgba, &to, Layout::Rgba, options())?;
        for part in rgba.chunks_mut(4 * PART) {
            from.clear();
            from.extend_from_slice(part);
            transform.transform(&from, part)?;
            if grey {
                // Rounding must not tint what has no colour.
                for pixel in part.chunks_exact_mut(4) {
                    let level = pixel[1];
                    pixel[..3].fill(level);
                }
            }
        }
        Ok(())
    }
}

/// 16 bits as 8 by ordered dithering, so that a gentle gradient shows no steps. The threshold is one for all channels
/// of a pixel, and a value that 8 bits can say exactly stays what it is.
fn dithered(rgba: &[u16], width: usize) -> Vec<u8> {
    // Bayer's matrix of 8 x 8, by interleaving the bits of the coordinates.
    let threshold = |x: usize, y: usize| {
        let bits = (0..3).map(|bit| {
            let (x, y) = (x >> bit & 1, y >> bit & 1);
            ((x ^ y) << 1 | y) << (2 * (2 - bit))
        });
        65_535 * (2 * bits.sum::<usize>() as u32 + 1) / 128
    };
    let pixel = |(index, pixel): (usize, &[u16])| {
        let threshold = threshold(index % width, index / width);
        std::array::from_fn::<u8, 4, _>(|channel| {
            let scaled = u32::from(pixel[channel]) * 255;
            (scaled / 65_535 + u32::from(scaled % 65_535 > threshold)) as u8
        })
    };
    rgba.chunks_exact(4).enumerate().flat_map(pixel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dithering_keeps_the_mean_and_exact_values() {
        let exact: Vec<u16> = (0..256).flat_map(|v| [v * 257; 4]).collect();
        let bytes: Vec<u8> = (0..=255).flat_map(|v| [v; 4]).collect();
        assert_eq!(dithered(&exact, 16), bytes);
        for share in [0.1, 0.25, 0.5, 0.8] {
            let value = ((100.0 + share) * 257.0) as u16;
            let flat = dithered(&[value; 4 * 64], 8);
            let mean = flat.iter().map(|&v| f32::from(v)).sum::<f32>() / 256.0;
            assert!((mean - 100.0 - share).abs() < 0.02, "{share}: {mean}");
            assert!(flat.chunks_exact(4).all(|p| p[0] == p[1] && p[1] == p[2]));
        }
    }
}
