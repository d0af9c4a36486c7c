//! What is measured of a face: distances in its mesh, its pose, and colours of its parts.

use crate::{
    face::{AlignedMesh, CHEEKS, Landmarks, MESH_POINTS, MOUTH_CORNERS},
    pixels::{Picture, Point},
};

/// Half the side of the patch in which a colour is read, in sides of the picture.
const PATCH: f32 = 0.012;
/// How far above the forehead hair is looked for, in heights of the forehead.
const HAIR_ABOVE: f32 = 0.5;

// Points of the mesh.
const EYES: [[usize; 6]; 2] = [
    [33, 160, 158, 133, 153, 144],
    [362, 385, 387, 263, 373, 380],
];
/// Upper and lower lid.
const LIDS: [[usize; 2]; 2] = [[159, 145], [386, 374]];
/// Outer and inner corner.
const EYE_CORNERS: [[usize; 2]; 2] = [[33, 133], [263, 362]];
const BROWS: [usize; 6] = [105, 66, 107, 334, 296, 336];
const INNER_LIPS: [usize; 2] = [13, 14];
const OUTER_LIPS: [usize; 2] = [0, 17];
const JAW: [usize; 2] = [172, 397];
const FOREHEAD_AND_CHIN: [usize; 2] = [10, 152];
const BETWEEN_EYES: usize = 168;
const SKIN: [usize; 6] = [50, 280, 205, 425, 151, 4];
const LIPS: [usize; 6] = [37, 267, 0, 17, 84, 314];
const HAIRLINE: [usize; 5] = [10, 109, 338, 67, 297];

/// A property of a face that a slider can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// How high the corners of the mouth lie above its middle.
    Smile,
    /// From one corner of the mouth to the other.
    MouthWidth,
    /// Between the lips.
    MouthOpening,
    /// Between the lids.
    EyeOpening,
    /// Of the brows above the eyes.
    BrowHeight,
    /// From cheek to cheek.
    FaceWidth,
    /// From one angle of the jaw to the other.
    JawWidth,
    /// From the lips to the chin.
    ChinLength,
    /// Turn of the head to the side, in degrees.
    Yaw,
    /// Nod of the head, in degrees.
    Pitch,
    /// Tilt of the head, in degrees.
    Roll,
    /// Lightness of the skin.
    SkinLightness,
    /// Lightness above the forehead.
    HairLightness,
    /// How much redder the lips are than the skin.
    LipColour,
}

/// How many measures there are.
pub const MEASURES: usize = Measure::ALL.len();

impl Measure {
    /// All of them, in the order of [`Reading::values`].
    pub const ALL: [Self; 14] = [
        Self::Smile,
        Self::MouthWidth,
        Self::MouthOpening,
        Self::EyeOpening,
        Self::BrowHeight,
        Self::FaceWidth,
        Self::JawWidth,
        Self::ChinLength,
        Self::Yaw,
        Self::Pitch,
        Self::Roll,
        Self::SkinLightness,
        Self::HairLightness,
        Self::LipColour,
    ];

    /// Name of its slider in commands, label and heading for people.
    pub fn names(self) -> [&'static str; 3] {
        match self {
            Self::Smile => ["smile", "Smile", "Expression"],
            Self::MouthWidth => ["mouth-width", "Wide mouth", "Expression"],
            Self::MouthOpening => ["mouth", "Open mouth", "Expression"],
            Self::EyeOpening => ["eyes", "Open eyes", "Expression"],
            Self::BrowHeight => ["brows", "Raise brows", "Expression"],
            Self::FaceWidth => ["face-width", "Wide face", "Shape"],
            Self::JawWidth => ["jaw", "Wide jaw", "Shape"],
            Self::ChinLength => ["chin", "Long chin", "Shape"],
            Self::Yaw => ["yaw", "Turn", "Pose"],
            Self::Pitch => ["pitch", "Nod", "Pose"],
            Self::Roll => ["roll", "Tilt", "Pose"],
            Self::SkinLightness => ["skin", "Light skin", "Colour"],
            Self::HairLightness => ["hair", "Light hair", "Colour"],
            Self::LipColour => ["lips", "Red lips", "Colour"],
        }
    }

    /// The one of a name in commands.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|measure| measure.names()[0] == name)
    }

    /// Measures of the same movement, which may go along.
    pub fn kin(self) -> &'static [Self] {
        match self {
            Self::Smile => &[Self::MouthWidth, Self::MouthOpening],
            Self::MouthWidth => &[Self::Smile, Self::MouthOpening],
            Self::MouthOpening => &[Self::ChinLength],
            Self::FaceWidth => &[Self::JawWidth],
            Self::JawWidth => &[Self::FaceWidth, Self::ChinLength],
            _ => &[],
        }
    }
}

/// What was read from the picture of a face.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The measures, in the order of [`Measure::ALL`].
    pub values: [f64; MEASURES],
    /// The landmarks, in sides of the picture.
    pub landmarks: Landmarks,
}

impl Reading {
    /// Of an aligned picture and the mesh found in it. `None` if that is no face.
    pub fn new(picture: &Picture, mesh: &AlignedMesh) -> Option<Self> {
        if !mesh.shows_face() || mesh.points.len() != MESH_POINTS {
            return None;
        }
        let reader = Reader::new(picture, &mesh.points)?;
        let values = Measure::ALL.map(|measure| f64::from(reader.measure(measure)));
        values.iter().all(|value| value.is_finite()).then(|| Self {
            values,
            landmarks: mesh.landmarks(),
        })
    }
}

/// A mesh in the frame of its head.
struct Reader<'a> {
    picture: &'a Picture<'a>,
    points: &'a [[f32; 3]],
    /// Unit vectors to the right and down, as the head sees them.
    right: [f32; 3],
    down: [f32; 3],
    /// Distance between the middles of the eyes, in which distances are counted.
    unit: f32,
}

fn minus(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    std::array::from_fn(|i| a[i] - b[i])
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    (0..3).map(|i| a[i] * b[i]).sum()
}

fn unit(a: [f32; 3]) -> Option<[f32; 3]> {
    let length = dot(a, a).sqrt();
    length.is_normal().then(|| a.map(|value| value / length))
}

impl<'a> Reader<'a> {
    fn new(picture: &'a Picture<'a>, points: &'a [[f32; 3]]) -> Option<Self> {
        let [left, right] = CHEEKS.map(|i| points[i]);
        let right = unit(minus(right, left))?;
        let [top, bottom] = FOREHEAD_AND_CHIN.map(|i| points[i]);
        let down = minus(bottom, top);
        let across = dot(down, right);
        let down = unit(std::array::from_fn(|i| down[i] - across * right[i]))?;
        let mut reader = Self {
            picture,
            points,
            right,
            down,
            unit: 1.0,
        };
        let [left, right] = EYES.map(|eye| reader.middle(&eye));
        let apart = minus(right, left);
        reader.unit = dot(apart, apart).sqrt();
        reader.unit.is_normal().then_some(reader)
    }

    fn middle(&self, points: &[usize]) -> [f32; 3] {
        let sum = |axis: usize| points.iter().map(|&i| self.points[i][axis]).sum::<f32>();
        std::array::from_fn(|axis| sum(axis) / points.len() as f32)
    }

    /// How far `to` lies below `from`.
    fn below(&self, from: [f32; 3], to: [f32; 3]) -> f32 {
        dot(minus(to, from), self.down) / self.unit
    }

    /// How far the second point lies to the right of the first.
    fn across(&self, [from, to]: [usize; 2]) -> f32 {
        dot(minus(self.points[to], self.points[from]), self.right) / self.unit
    }

    fn measure(&self, measure: Measure) -> f32 {
        let point = |i: usize| self.points[i];
        let degrees = |[from, to]: [usize; 2], opposite: usize, adjacent: usize| {
            let way = minus(point(to), point(from));
            way[opposite].atan2(way[adjacent]).to_degrees()
        };
        match measure {
            Measure::Smile => self.below(self.middle(&MOUTH_CORNERS), self.middle(&OUTER_LIPS)),
            Measure::MouthWidth => self.across(MOUTH_CORNERS),
            Measure::MouthOpening => {
                let [upper, lower] = INNER_LIPS.map(point);
                self.below(upper, lower)
            }
            Measure::EyeOpening => {
                let open = |lids: [usize; 2], corners: [usize; 2]| {
                    let [upper, lower] = lids.map(point);
                    self.below(upper, lower) / self.across(corners).abs()
                };
                (open(LIDS[0], EYE_CORNERS[0]) + open(LIDS[1], EYE_CORNERS[1])) / 2.0
            }
            Measure::BrowHeight => {
                let eyes = EYE_CORNERS.concat();
                self.below(self.middle(&BROWS), self.middle(&eyes))
            }
            Measure::FaceWidth => self.across(CHEEKS),
            Measure::JawWidth => self.across(JAW),
            Measure::ChinLength => self.below(point(OUTER_LIPS[1]), point(FOREHEAD_AND_CHIN[1])),
            Measure::Yaw => degrees(CHEEKS, 2, 0),
            Measure::Pitch => degrees(FOREHEAD_AND_CHIN, 2, 1),
            Measure::Roll => degrees([EYE_CORNERS[0][0], EYE_CORNERS[1][0]], 1, 0),
            Measure::SkinLightness => lightness(self.colour(&SKIN.map(|i| self.flat(i)))),
            Measure::HairLightness => lightness(self.colour(&HAIRLINE.map(|i| self.above(i)))),
            Measure::LipColour => {
                redness(self.colour(&LIPS.map(|i| self.flat(i))))
                    - redness(self.colour(&SKIN.map(|i| self.flat(i))))
            }
        }
    }

    /// Where a point lies in the picture.
    fn flat(&self, point: usize) -> Point {
        let [x, y, _] = self.points[point];
        [x, y]
    }

    /// A spot above a point of the hairline.
    fn above(&self, point: usize) -> Point {
        let (from, to) = (self.flat(BETWEEN_EYES), self.flat(FOREHEAD_AND_CHIN[0]));
        let at = self.flat(point);
        [0, 1].map(|axis| at[axis] + HAIR_ABOVE * (to[axis] - from[axis]))
    }

    /// The mean colour around some spots, 0..=255; a spot outside counts as the nearest one inside.
    fn colour(&self, spots: &[Point]) -> [f32; 3] {
        let [width, height] = [self.picture.width(), self.picture.height()];
        let (mut sum, mut count) = ([0.0; 3], 0.0);
        for &[x, y] in spots {
            let span = |at: f32, side: usize| {
                let pixel = |at: f32| ((at * side as f32).max(0.0) as usize).min(side - 1);
                pixel(at - PATCH)..=pixel(at + PATCH)
            };
            for row in span(y, height) {
                for column in span(x, width) {
                    let rgb = self.picture.rgb(column, row);
                    sum = std::array::from_fn(|i| sum[i] + f32::from(rgb[i]));
                    count += 1.0;
                }
            }
        }
        sum.map(|value| value / count)
    }
}

/// Lightness after CIE L*, 0..=100.
fn lightness([r, g, b]: [f32; 3]) -> f32 {
    let linear = |value: f32| match value / 255.0 {
        value if value <= 0.04045 => value / 12.92,
        value => ((value + 0.055) / 1.055).powf(2.4),
    };
    match 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) {
        y if y <= 0.008_856 => 903.3 * y,
        y => 116.0 * y.cbrt() - 16.0,
    }
}

/// How red a colour is, whatever the light.
fn redness([r, g, _]: [f32; 3]) -> f32 {
    ((r + 1.0) / (g + 1.0)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flat face of plausible proportions, by the points that are measured; the others lie in its middle.
    fn face() -> Vec<[f32; 3]> {
        let mut points = vec![[0.5, 0.6, 0.0]; MESH_POINTS];
        let mut set = |indices: &[usize], at: &[[f32; 2]]| {
            for (&i, &[x, y]) in indices.iter().zip(at.iter().cycle()) {
                points[i] = [x, y, 0.0];
            }
        };
        set(&EYES[0], &[[0.38, 0.46]]);
        set(&EYES[1], &[[0.62, 0.46]]);
        set(
            &EYE_CORNERS.concat(),
            &[[0.34, 0.46], [0.42, 0.46], [0.66, 0.46], [0.58, 0.46]],
        );
        set(
            &LIDS.concat(),
            &[[0.38, 0.45], [0.38, 0.47], [0.62, 0.45], [0.62, 0.47]],
        );
        set(
            &BROWS,
            &[
                [0.36, 0.4],
                [0.4, 0.4],
                [0.43, 0.4],
                [0.64, 0.4],
                [0.6, 0.4],
                [0.57, 0.4],
            ],
        );
        set(&MOUTH_CORNERS, &[[0.42, 0.72], [0.58, 0.72]]);
        set(&INNER_LIPS, &[[0.5, 0.71], [0.5, 0.73]]);
        set(&OUTER_LIPS, &[[0.5, 0.7], [0.5, 0.75]]);
        set(&CHEEKS, &[[0.27, 0.5], [0.73, 0.5]]);
        set(&JAW, &[[0.33, 0.75], [0.67, 0.75]]);
        set(&HAIRLINE, &[[0.5, 0.25]]);
        set(&FOREHEAD_AND_CHIN, &[[0.5, 0.25], [0.5, 0.87]]);
        set(&[BETWEEN_EYES], &[[0.5, 0.45]]);
        points
    }

    fn read(points: Vec<[f32; 3]>, picture: &Picture) -> Option<Reading> {
        let mesh = AlignedMesh {
            points,
            presence: 1.0,
        };
        Reading::new(picture, &mesh)
    }

    fn grey() -> Picture<'static> {
        Picture::from_rgb(64, 64, |_, _| [128; 3])
    }

    fn value(reading: &Reading, measure: Measure) -> f64 {
        reading.values[measure as usize]
    }

    #[test]
    fn measures_stand_in_the_order_of_their_list() {
        for (index, measure) in Measure::ALL.into_iter().enumerate() {
            assert_eq!(measure as usize, index);
            assert!(!measure.kin().contains(&measure));
        }
    }

    #[test]
    fn each_movement_is_read_by_its_measure() {
        let before = read(face(), &grey()).unwrap();
        let raised = |indices: &'static [usize], by: f32| {
            move |points: &mut Vec<[f32; 3]>| indices.iter().for_each(|&i| points[i][1] -= by)
        };
        let apart = |[left, right]: [usize; 2]| {
            move |points: &mut Vec<[f32; 3]>| {
                points[left][0] -= 0.01;
                points[right][0] += 0.01;
            }
        };
        type Change = Box<dyn Fn(&mut Vec<[f32; 3]>)>;
        let cases: [(Measure, Change); 8] = [
            (Measure::Smile, Box::new(raised(&MOUTH_CORNERS, 0.01))),
            (Measure::MouthWidth, Box::new(apart(MOUTH_CORNERS))),
            (Measure::MouthOpening, Box::new(raised(&[13], 0.01))),
            (Measure::EyeOpening, Box::new(raised(&[159, 386], 0.01))),
            (Measure::BrowHeight, Box::new(raised(&BROWS, 0.01))),
            (Measure::FaceWidth, Box::new(apart(CHEEKS))),
            (Measure::JawWidth, Box::new(apart(JAW))),
            (Measure::ChinLength, Box::new(raised(&[152], -0.01))),
        ];
        for (moved, change) in cases {
            let mut points = face();
            change(&mut points);
            let after = read(points, &grey()).unwrap();
            for measure in Measure::ALL {
                let grown = value(&after, measure) - value(&before, measure);
                match measure == moved {
                    true => assert!(grown > 0.01, "{moved:?}: {grown}"),
                    false => assert!(grown.abs() < 1e-4, "{moved:?}, {measure:?}: {grown}"),
                }
            }
        }
    }

    #[test]
    fn pose_is_read_and_changes_nothing_else() {
        let before = read(face(), &grey()).unwrap();
        let angle = 12.0_f32;
        let (sine, cosine) = angle.to_radians().sin_cos();
        for (turned, [from, to]) in [
            (Measure::Yaw, [0, 2]),
            (Measure::Pitch, [1, 2]),
            (Measure::Roll, [0, 1]),
        ] {
            let points = face().into_iter().map(|mut point| {
                let (a, b) = (point[from] - 0.5, point[to] - 0.5);
                point[from] = 0.5 + cosine * a - sine * b;
                point[to] = 0.5 + sine * a + cosine * b;
                point
            });
            let after = read(points.collect(), &grey()).unwrap();
            for measure in Measure::ALL {
                let grown = value(&after, measure) - value(&before, measure);
                let expected = if measure == turned {
                    f64::from(angle)
                } else {
                    0.0
                };
                assert!(
                    (grown - expected).abs() < 1e-3,
                    "{turned:?}, {measure:?}: {grown}"
                );
            }
        }
    }

    #[test]
    fn colours_are_read_where_they_are() {
        // Light hair above, skin below it, red lips.
        let picture = Picture::from_rgb(64, 64, |x, y| match (x, y) {
            (_, 0..13) => [240; 3],
            (25..39, 43..49) => [200, 60, 60],
            _ => [100; 3],
        });
        let mut points = face();
        for i in LIPS {
            points[i] = [0.5, 0.72, 0.0];
        }
        let reading = read(points, &picture).unwrap();
        assert!((value(&reading, Measure::HairLightness) - 94.8).abs() < 0.5);
        assert!((value(&reading, Measure::SkinLightness) - 42.4).abs() < 0.5);
        assert!((value(&reading, Measure::LipColour) - (201.0_f64 / 61.0).ln()).abs() < 0.01);
    }

    #[test]
    fn what_is_no_face_gives_no_reading() {
        let point = vec![[0.5, 0.5, 0.0]; MESH_POINTS];
        assert_eq!(read(point, &grey()), None);
        assert_eq!(read(face()[..3].to_vec(), &grey()), None);
        let mut broken = face();
        broken[13] = [f32::NAN; 3];
        assert_eq!(read(broken, &grey()), None);
        let doubtful = AlignedMesh {
            points: face(),
            presence: 0.3,
        };
        assert_eq!(Reading::new(&grey(), &doubtful), None);
    }
}
