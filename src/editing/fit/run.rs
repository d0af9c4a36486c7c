//! The fit itself: draws faces, regresses what is measured of them on their codes, and tries what it finds.

use std::ops::Range;

use super::{
    error::FitError,
    journal::Journal,
    linear::{Symmetric, dot, ridge},
    measures::{MEASURES, Measure, Reading},
};
use crate::{
    editing::directions::{EditedCodes, Offset},
    face::{LANDMARKS, Landmarks},
};

/// Faces on which the styles of a slider are chosen, and others on which it is checked. None of them is regressed on.
const TRIED: usize = 6;
const CHECKED: usize = 18;
/// Faces needed for a regression.
const LEAST_FACES: usize = 60;
/// After so many pictures at least this share must show faces.
const FIRST_PICTURES: usize = 24;
const LEAST_SHARE: f64 = 0.5;

/// Ridge, in means of the squared length of a code.
const RIDGE: f64 = 10.0;
/// Measures beyond this many standard deviations count as so many: the mesh may slip.
const OUTLIER: f64 = 3.5;

/// How far a trial goes, in standard deviations of the codes along the slider.
const TRIAL: f64 = 2.5;
/// Share of the effect of all styles that a choice of them must have.
const ENOUGH: f64 = 0.7;
/// Share of the effect of all styles from which it lives in a group.
const LIVES: f64 = 0.05;
/// Purity that a group must bring if the effect does not live there, and that leaving it out must bring if it does:
/// what looks purer on a few faces may be so by chance.
const GROUP_WORTH: f64 = 0.02;
/// Effect below which a slider is weak: in standard deviations of the measure, for one of the codes along it.
const WEAK: f64 = 0.2;
/// Farthest strength, in standard deviations of the measure, and of the codes along the slider. There it is checked.
const FARTHEST: f64 = 2.0;
const FARTHEST_CODES: f64 = 5.0;
/// Share of the checked faces that must move the right way, and of those that must stay faces.
const RIGHT_WAY: f64 = 0.85;
const STILL_FACES: f64 = 0.9;
/// How much of its own movement a slider may move another measure.
const SPILL: f64 = 0.6;
/// Faces on which the motion of other directions is looked at.
const FOLLOWED: usize = 6;
/// A motion smaller than this at the end of a direction, in sides of the picture, is none.
const STILL: f32 = 0.003;

/// A model as a fit sees it.
#[expect(
    async_fn_in_trait,
    reason = "nothing asks for Send: browsers have one thread"
)]
pub trait Faces {
    /// Codes of a face, rows of `style_dim` values for every style. Equal for equal indices. `None` when there are no
    /// more.
    async fn draw(&mut self, index: usize) -> Result<Option<Vec<f32>>, FitError>;

    /// What is seen in the picture of codes. `None` if that is no face.
    async fn read(&mut self, codes: EditedCodes) -> Result<Option<Reading>, FitError>;
}

/// What a fit is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct FitPlan {
    /// Faces to draw.
    pub samples: usize,
    /// Styles of the model.
    pub styles: usize,
    /// Values of a style.
    pub style_dim: usize,
    /// Whether all styles of a draw are the same.
    pub shared: bool,
    /// Directions that the model has already, to find out what they do.
    pub probes: Vec<Probe>,
}

impl FitPlan {
    /// Pictures that it takes at most.
    pub fn pictures(&self) -> usize {
        self.samples + MEASURES * self.pictures_of_measure() + self.probes.len() * 2 * FOLLOWED
    }

    fn pictures_of_measure(&self) -> usize {
        TRIED * groups(self.styles).len() + 2 * CHECKED
    }
}

/// A direction whose motion is not known.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Its name.
    pub name: String,
    /// What strength 1 adds.
    pub offset: Offset,
    /// Strength at which it is looked at.
    pub strength: f32,
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Faces are drawn and measured.
    Draw,
    /// Principal components of the styles are computed.
    Components,
    /// A measure is regressed on the codes.
    Regress(Measure),
    /// The styles of a slider are chosen.
    Choose(Measure),
    /// A slider is checked.
    Check(Measure),
    /// The motion of another direction is looked at.
    Follow,
}

impl std::fmt::Display for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, measure) = match self {
            Self::Draw => return f.write_str("drawing faces"),
            Self::Components => return f.write_str("comparing styles"),
            Self::Follow => return f.write_str("looking at other directions"),
            Self::Regress(measure) => ("regressing", measure),
            Self::Choose(measure) => ("choosing styles of", measure),
            Self::Check(measure) => ("checking", measure),
        };
        write!(f, "{what} {}", measure.names()[0])
    }
}

/// How far a fit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What comes next.
    pub task: Task,
    /// Pictures done, or not needed; of [`Task::Components`] styles.
    pub done: usize,
    /// How many in all.
    pub total: usize,
}

/// Why a measure got no slider.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dropped {
    /// All faces measure the same, or other measures say all of it.
    Constant,
    /// The codes hardly move it: by so many of its standard deviations for one of theirs.
    Weak(f64),
    /// Only so large a share of the faces moves the right way.
    Unsteady(f64),
    /// It moves another measure by so large a share of its own movement.
    Spills(Measure, f64),
    /// At its ends only so large a share of the pictures shows a face.
    LosesFaces(f64),
}

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let percent = |share: f64| (100.0 * share).round();
        match *self {
            Self::Constant => f.write_str("the faces do not differ in it"),
            Self::Weak(effect) => write!(
                f,
                "codes hardly move it ({effect:.2} deviations for one of theirs)"
            ),
            Self::Unsteady(share) => write!(
                f,
                "it moves only {} % of the faces the right way",
                percent(share)
            ),
            Self::Spills(other, share) => {
                let [name, ..] = other.names();
                write!(
                    f,
                    "it moves {name} by {} % of its own movement",
                    percent(share)
                )
            }
            Self::LosesFaces(share) => {
                write!(
                    f,
                    "at its ends only {} % of the pictures show a face",
                    percent(share)
                )
            }
        }
    }
}

/// A slider that was found. Strength 1 is a standard deviation of its measure over the faces that the model draws.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundSlider {
    /// What it moves.
    pub measure: Measure,
    /// Styles that it changes.
    pub styles: Range<usize>,
    /// What strength 1 adds: one row for all styles, or one for every style of the model.
    pub rows: Vec<f32>,
    /// How far strength 1 moves the landmarks.
    pub displacements: Landmarks,
    /// Largest strength, both ways.
    pub reach: f32,
    /// The standard deviation of the measure.
    pub deviation: f64,
    /// The measure that it moves most besides its own and its kin, and by what share of its own movement.
    pub spill: (Measure, f64),
}

/// What was found out about a direction that the model had.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// Its name.
    pub name: String,
    /// How far strength 1 moves the landmarks; `None` if nothing moves.
    pub displacements: Option<Landmarks>,
    /// By how many standard deviations strength 1 moves each measure.
    pub effects: [f64; MEASURES],
}

/// What a fit has found.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The sliders, in the order of their measures.
    pub sliders: Vec<FoundSlider>,
    /// Measures without a slider.
    pub dropped: Vec<(Measure, Dropped)>,
    /// Mean landmarks of the faces drawn.
    pub face_shape: Landmarks,
    /// The probes.
    pub followed: Vec<Followed>,
    /// Pictures drawn, and those of them that show a face.
    pub drawn: [usize; 2],
}

/// Finds the sliders of a model. `pause` hears of every step before it is made, and may wait, or stop the fit with an
/// error; with the same plan and the same journal it goes on where it was, and ends as if it had not been stopped.
///
/// # Errors
/// Those of `pause`, and [`FitError`].
pub async fn fit<F: Faces, E: From<FitError>>(
    faces: &mut F,
    plan: &FitPlan,
    journal: &mut Journal,
    pause: impl AsyncFnMut(Progress, &Journal) -> Result<(), E>,
) -> Result<Fit, E> {
    let groups = groups(plan.styles);
    let of_measure = plan.pictures_of_measure();
    let mut session = FitSession::new(faces, journal, pause, plan.pictures());
    let (drawn, pictures) = session.draw(plan.samples).await?;
    let samples = Samples::new(drawn, pictures, plan)?;
    let trials = samples.trials();
    let (mut sliders, mut dropped) = (Vec::new(), Vec::new());
    for measure in Measure::ALL {
        let end = session.done + of_measure;
        session.pause(Task::Regress(measure)).await?;
        let found = match samples.candidate(measure) {
            Some(candidate) => session.examine(&trials, candidate, &groups, plan).await?,
            None => Err(Dropped::Constant),
        };
        match found {
            Ok(slider) => sliders.push(slider),
            Err(reason) => dropped.push((measure, reason)),
        }
        session.done = end;
    }
    let mut followed = Vec::new();
    for probe in &plan.probes {
        followed.push(session.follow(&trials, probe, plan.style_dim).await?);
    }
    Ok(Fit {
        sliders,
        dropped,
        face_shape: samples.face_shape,
        followed,
        drawn: samples.drawn,
    })
}

/// Makes sure that a model draws faces, by the first pictures of a fit, which is spared the rest of the work else. The
/// fit itself takes them from the journal.
///
/// # Errors
/// As [`fit`]; [`FitError::NoFaces`] for a model of other things.
pub async fn check_faces<F: Faces, E: From<FitError>>(
    faces: &mut F,
    plan: &FitPlan,
    journal: &mut Journal,
    pause: impl AsyncFnMut(Progress, &Journal) -> Result<(), E>,
) -> Result<(), E> {
    let samples = plan.samples.min(FIRST_PICTURES);
    let mut session = FitSession::new(faces, journal, pause, plan.pictures());
    session.draw(samples).await.map(drop)
}

/// The styles in groups of two, one per resolution; what follows the fourth changes little but colours.
fn groups(styles: usize) -> Vec<Range<usize>> {
    let bounds = [0, 2, 4, 6, 8, styles].map(|bound| bound.min(styles));
    let pairs = bounds.windows(2).map(|pair| pair[0]..pair[1]);
    pairs.filter(|group| !group.is_empty()).collect()
}

/// A face that was drawn.
struct Drawn {
    codes: Vec<f32>,
    reading: Reading,
}

/// The faces that were drawn, ready for regression.
struct Samples {
    /// Codes without their mean, one row each.
    codes: Vec<Vec<f64>>,
    products: Symmetric,
    /// Every measure of all samples, in standard deviations from the mean.
    measures: Vec<Vec<f64>>,
    deviations: [f64; MEASURES],
    /// Faces that are not regressed on.
    held_out: Vec<Drawn>,
    face_shape: Landmarks,
    drawn: [usize; 2],
}

impl Samples {
    fn new(mut faces: Vec<Drawn>, pictures: usize, plan: &FitPlan) -> Result<Self, FitError> {
        let least = LEAST_FACES + TRIED + CHECKED;
        if faces.len() < least {
            return Err(FitError::TooFew {
                faces: faces.len(),
                least,
            });
        }
        let drawn = [pictures, faces.len()];
        let landmark = |i: usize, axis: usize| {
            let sum: f32 = faces
                .iter()
                .map(|face| face.reading.landmarks[i][axis])
                .sum();
            sum / faces.len() as f32
        };
        let face_shape: Landmarks = std::array::from_fn(|i| [0, 1].map(|axis| landmark(i, axis)));
        let held_out = faces.split_off(faces.len() - TRIED - CHECKED);
        let width = if plan.shared {
            plan.style_dim
        } else {
            plan.styles * plan.style_dim
        };
        let count = faces.len() as f64;
        let row = |face: &Drawn| -> Vec<f64> {
            face.codes[..width].iter().map(|&v| f64::from(v)).collect()
        };
        let mut codes: Vec<_> = faces.iter().map(row).collect();
        let mut mean = vec![0.0; width];
        for code in &codes {
            mean.iter_mut()
                .zip(code)
                .for_each(|(mean, value)| *mean += value / count);
        }
        for code in &mut codes {
            code.iter_mut()
                .zip(&mean)
                .for_each(|(value, mean)| *value -= mean);
        }
        let mut deviations = [0.0; MEASURES];
        let measures = (0..MEASURES).map(|measure| {
            let values: Vec<_> = faces
                .iter()
                .map(|face| face.reading.values[measure])
                .collect();
            let mean = values.iter().sum::<f64>() / count;
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            deviations[measure] = (squares / count).sqrt();
            let scaled =
                |value: f64| ((value - mean) / deviations[measure]).clamp(-OUTLIER, OUTLIER);
            values.into_iter().map(scaled).collect()
        });
        let measures = measures.collect();
        Ok(Self {
            products: Symmetric::products(&codes),
            codes,
            measures,
            deviations,
            held_out,
            face_shape,
            drawn,
        })
    }

    fn trials(&self) -> Trials<'_> {
        let (tried, checked) = self.held_out.split_at(TRIED);
        Trials {
            tried,
            checked,
            deviations: self.deviations,
        }
    }

    /// The direction along which a measure grows and others, but for its kin, do not; of the length of a standard
    /// deviation of the codes along it.
    fn candidate(&self, measure: Measure) -> Option<Candidate> {
        let own = &self.measures[measure as usize];
        if !own.iter().all(|value| value.is_finite()) {
            return None;
        }
        let others = Measure::ALL
            .into_iter()
            .filter(|other| *other != measure && !measure.kin().contains(other));
        let others = others.map(|other| self.measures[other as usize].clone());
        let others = others.filter(|values| values.iter().all(|value| value.is_finite()));
        let direction = ridge(&self.codes, &self.products, own, others, RIDGE)?;
        let squares: f64 = self
            .codes
            .iter()
            .map(|code| dot(code, &direction).powi(2))
            .sum();
        let along = (squares / self.codes.len() as f64).sqrt() / dot(&direction, &direction);
        along.is_finite().then(|| Candidate {
            measure,
            rows: direction
                .iter()
                .map(|value| (along * value) as f32)
                .collect(),
        })
    }
}

struct Candidate {
    measure: Measure,
    rows: Vec<f32>,
}

/// Faces on which sliders are tried.
struct Trials<'a> {
    tried: &'a [Drawn],
    checked: &'a [Drawn],
    deviations: [f64; MEASURES],
}

impl Trials<'_> {
    /// By how many standard deviations the measures differ.
    fn change(&self, from: &Reading, to: &Reading) -> [f64; MEASURES] {
        std::array::from_fn(|i| match self.deviations[i] {
            deviation if deviation > 0.0 => (to.values[i] - from.values[i]) / deviation,
            _ => 0.0,
        })
    }
}

/// Share of the effects on the own measure among it and those that are to stay.
fn purity(measure: Measure, effects: &[f64; MEASURES]) -> f64 {
    let stay = |other: &Measure| *other != measure && !measure.kin().contains(other);
    let others: f64 = (Measure::ALL.into_iter().filter(stay))
        .map(|other| effects[other as usize].powi(2))
        .sum();
    let own = effects[measure as usize];
    own / (own * own + others).sqrt()
}

/// The run of groups that has enough of the whole effect and least of others.
fn choose(measure: Measure, effects: &[[f64; MEASURES]]) -> (Range<usize>, f64) {
    let sum = |run: &Range<usize>| {
        let mut sum = [0.0; MEASURES];
        for effects in &effects[run.clone()] {
            sum.iter_mut()
                .zip(effects)
                .for_each(|(sum, effect)| *sum += effect);
        }
        sum
    };
    let own = |run: &Range<usize>| sum(run)[measure as usize];
    let all = 0..effects.len();
    let share = |run: &Range<usize>| own(run) / own(&all);
    let worth_of = |group: usize| match share(&(group..group + 1)) >= LIVES {
        true => GROUP_WORTH,
        false => -GROUP_WORTH,
    };
    let runs =
        (0..effects.len()).flat_map(|from| (from + 1..=effects.len()).map(move |to| from..to));
    let worth =
        |run: &Range<usize>| purity(measure, &sum(run)) + run.clone().map(worth_of).sum::<f64>();
    let good = runs.filter(|run| share(run) >= ENOUGH);
    let best = good.max_by(|a, b| worth(a).total_cmp(&worth(b)));
    let best = best.unwrap_or(all);
    let effect = own(&best);
    (best, effect)
}

/// A fit under way.
struct FitSession<'a, F, P> {
    faces: &'a mut F,
    journal: &'a mut Journal,
    pause: P,
    /// Readings taken, from the journal or from the model.
    read: usize,
    done: usize,
    total: usize,
}

impl<'a, F: Faces, P> FitSession<'a, F, P> {
    fn new(faces: &'a mut F, journal: &'a mut Journal, pause: P, total: usize) -> Self {
        Self {
            faces,
            journal,
            pause,
            read: 0,
            done: 0,
            total,
        }
    }

    async fn pause<E>(&mut self, task: Task) -> Result<(), E>
    where
        P: AsyncFnMut(Progress, &Journal) -> Result<(), E>,
    {
        let progress = Progress {
            task,
            done: self.done,
            total: self.total,
        };
        (self.pause)(progress, self.journal).await
    }

    /// The reading of some codes, from the journal if it was taken before.
    async fn read<E: From<FitError>>(
        &mut self,
        task: Task,
        codes: EditedCodes,
    ) -> Result<Option<Reading>, E>
    where
        P: AsyncFnMut(Progress, &Journal) -> Result<(), E>,
    {
        self.pause(task).await?;
        if self.read == self.journal.readings.len() {
            let reading = self.faces.read(codes).await?;
            self.journal.readings.push(reading);
        }
        let reading = self.journal.readings[self.read].clone();
        self.read += 1;
        self.done += 1;
        Ok(reading)
    }

    /// Draws faces, and counts the pictures.
    async fn draw<E: From<FitError>>(&mut self, samples: usize) -> Result<(Vec<Drawn>, usize), E>
    where
        P: AsyncFnMut(Progress, &Journal) -> Result<(), E>,
    {
        let mut faces = Vec::new();
        let mut pictures = 0;
        for index in 0..samples {
            if index == self.journal.codes.len() {
                self.pause(Task::Draw).await?;
                let Some(codes) = self.faces.draw(index).await? else {
                    break;
                };
                self.journal.codes.push(codes);
            }
            let codes = self.journal.codes[index].clone();
            let reading = self.read(Task::Draw, codes.clone().into()).await?;
            if let Some(reading) = reading {
                faces.push(Drawn { codes, reading });
            }
            pictures += 1;
            if pictures >= FIRST_PICTURES && (faces.len() as f64) < LEAST_SHARE * pictures as f64 {
                let faces = faces.len();
                return Err(FitError::NoFaces { faces, pictures }.into());
            }
        }
        self.done = samples;
        Ok((faces, pictures))
    }

    /// Chooses the styles of a slider and checks it.
    async fn examine<E: From<FitError>>(
        &mut self,
        trials: &Trials<'_>,
        candidate: Candidate,
        groups: &[Range<usize>],
        plan: &FitPlan,
    ) -> Result<Result<FoundSlider, Dropped>, E>
    where
        P: AsyncFnMut(Progress, &Journal) -> Result<(), E>,
    {
        let Candidate { measure, rows } = candidate;
        let mut effects = Vec::new();
        for group in groups {
            let offset = Offset {
                rows: rows.clone(),
                styles: group.clone(),
                channels: None,
            };
            effects.push(
                self.effect_of(trials, measure, &offset, plan.style_dim)
                    .await?,
            );
        }
        let (run, effect) = choose(measure, &effects);
        if effect.is_nan() || effect < WEAK {
            return Ok(Err(Dropped::Weak(effect)));
        }
        let styles = groups[run.start].start..groups[run.end - 1].end;
        let rows: Vec<f32> = rows.iter().map(|value| value / effect as f32).collect();
        let reach = FARTHEST.min(FARTHEST_CODES * effect);
        let slider = FoundSlider {
            measure,
            styles,
            rows,
            displacements: [[0.0; 2]; LANDMARKS],
            reach: reach as f32,
            deviation: trials.deviations[measure as usize],
            spill: (measure, 0.0),
        };
        self.check(trials, slider, plan.style_dim).await
    }

    /// The mean effect of one standard deviation of the codes along a direction.
    async fn effect_of<E: From<FitError>>(
        &mut self,
        trials: &Trials<'_>,
        measure: Measure,
        offset: &Offset,
        style_dim: usize,
    ) -> Result<[f64; MEASURES], E>
    where
        P: AsyncFnMut(Progress, &Journal) -> Result<(), E>,
    {
        let (mut sum, mut count) = ([0.0; MEASURES], 0.0);
        for (index, face) in trials.tried.iter().enumerate() {
            let step = if index % 2 == 0 { TRIAL } else { -TRIAL };
            let codes = offset.added(&face.codes, step as f32, style_dim);
            if let Some(reading) = self.read(Task::Choose(measure), codes).await? {
                let change = trials.change(&face.reading, &reading);
                sum.iter_mut()
                    .zip(change)
                    .for_each(|(sum, change)| *sum += change / step);
                count += 1.0;
            }
        }
        Ok(sum.map(|sum| sum / f64::max(count, 1.0)))
    }

    async fn check<E: From<FitError>>(
        &mut self,
        trials: &Trials<'_>,
        mut slider: FoundSlider,
        style_dim: usize,
    ) -> Result<Result<FoundSlider, Dropped>, E>
    where
        P: AsyncFnMut(Progress, &Journal) -> Result<(), E>,
    {
        let measure = slider.measure;
        let strength = slider.reach;
        let task = Task::Check(measure);
        let offset = Offset {
            rows: slider.rows.clone(),
            styles: slider.styles.clone(),
            channels: None,
        };
        let Ends { pairs, asked } = self
            .ends(trials.checked, task, &offset, strength, style_dim)
            .await?;
        let still = pairs.len() as f64 / asked as f64;
        if still < STILL_FACES {
            return Ok(Err(Dropped::LosesFaces(still)));
        }
        let Moved {
            effects,
            displacements,
        } = Moved::of(trials, &pairs, strength);
        let own = effects[measure as usize];
        if own.is_nan() || own < WEAK {
            return Ok(Err(Dropped::Weak(own)));
        }
        let right =
            |(low, high): &&(Reading, Reading)| trials.change(low, high)[measure as usize] > 0.0;
        let right = pairs.iter().filter(right).count() as f64 / pairs.len() as f64;
        if right < RIGHT_WAY {
            return Ok(Err(Dropped::Unsteady(right)));
        }
        let stay = |other: &Measure| *other != measure && !measure.kin().contains(other);
        let spills = (Measure::ALL.into_iter().filter(stay))
            .map(|other| (other, (effects[other as usize] / own).abs()));
        slider.spill = spills
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap_or((measure, 0.0));
        if slider.spill.1 > SPILL {
            return Ok(Err(Dropped::Spills(slider.spill.0, slider.spill.1)));
        }
        // From here on by what it was seen to do.
        let unit = own as f32;
        slider.rows.iter_mut().for_each(|value| *value /= unit);
        slider.displacements = displacements.map(|shift| shift.map(|value| value / unit));
        slider.reach = (slider.reach * unit).min(FARTHEST as f32);
        Ok(Ok(slider))
    }

    /// What a direction that the model had moves.
    async fn follow<E: From<FitError>>(
        &mut self,
        trials: &Trials<'_>,
        probe: &Probe,
        style_dim: usize,
    ) -> Result<Followed, E>
    where
        P: AsyncFnMut(Progress, &Journal) -> Result<(), E>,
    {
        let faces = &trials.checked[..FOLLOWED];
        let Ends { pairs, .. } = self
            .ends(
                faces,
                Task::Follow,
                &probe.offset,
                probe.strength,
                style_dim,
            )
            .await?;
        let Moved {
            effects,
            displacements,
        } = Moved::of(trials, &pairs, probe.strength);
        let farthest = displacements
            .iter()
            .map(|[x, y]| x.hypot(*y))
            .fold(0.0, f32::max);
        Ok(Followed {
            name: probe.name.clone(),
            displacements: (farthest * probe.strength >= STILL).then_some(displacements),
            effects,
        })
    }

    /// Readings at both ends of a direction.
    async fn ends<E: From<FitError>>(
        &mut self,
        faces: &[Drawn],
        task: Task,
        offset: &Offset,
        strength: f32,
        style_dim: usize,
    ) -> Result<Ends, E>
    where
        P: AsyncFnMut(Progress, &Journal) -> Result<(), E>,
    {
        let mut pairs = Vec::new();
        for face in faces {
            let [low, high] = [-strength, strength]
                .map(|strength| offset.added(&face.codes, strength, style_dim));
            let low = self.read(task, low).await?;
            let high = self.read(task, high).await?;
            pairs.extend(low.zip(high));
        }
        Ok(Ends {
            pairs,
            asked: faces.len(),
        })
    }
}

/// Readings of the same faces at the lower and the upper end of a direction, where both show a face.
struct Ends {
    pairs: Vec<(Reading, Reading)>,
    asked: usize,
}

/// What strength 1 moves on average.
struct Moved {
    effects: [f64; MEASURES],
    displacements: Landmarks,
}

impl Moved {
    fn of(trials: &Trials, pairs: &[(Reading, Reading)], strength: f32) -> Self {
        let mut effects = [0.0; MEASURES];
        let mut displacements = [[0.0; 2]; LANDMARKS];
        let units = 2.0 * strength * pairs.len().max(1) as f32;
        for (low, high) in pairs {
            let change = trials.change(low, high);
            effects
                .iter_mut()
                .zip(change)
                .for_each(|(sum, change)| *sum += change / f64::from(units));
            for (sum, (low, high)) in displacements
                .iter_mut()
                .zip(low.landmarks.iter().zip(&high.landmarks))
            {
                *sum = std::array::from_fn(|axis| sum[axis] + (high[axis] - low[axis]) / units);
            }
        }
        Self {
            effects,
            displacements,
        }
    }
}
