//! Whole fits of a made-up model, whose faces are linear in its codes.

use super::{
    Dropped, Faces, Fit, FitError, FitPlan, Journal, MEASURES, Measure, Probe, Progress, Reading,
    check_faces, fit,
};
use crate::{
    editing::directions::{EditedCodes, Offset},
    face::LANDMARKS,
    networks::normals,
};

const STYLES: usize = 10;
const DIM: usize = 24;

/// How a measure depends on the codes: it lives in some styles, along a direction.
struct Planted {
    measure: Measure,
    styles: std::ops::Range<usize>,
    direction: Vec<f64>,
}

/// A model whose measures are planted; what is not planted is constant. Its landmarks go to the right with yaw.
struct Linear {
    planted: Vec<Planted>,
    /// Whether the picture of a code is a face.
    is_face: fn(usize, &[f32]) -> bool,
    read: usize,
}

fn unit(seed: u64) -> Vec<f64> {
    let values: Vec<f64> = normals(99, seed, DIM).into_iter().map(f64::from).collect();
    let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    values.iter().map(|value| value / length).collect()
}

impl Linear {
    fn new() -> Self {
        let planted = [
            (Measure::Smile, 2..4),
            (Measure::Yaw, 0..4),
            (Measure::SkinLightness, 8..10),
        ];
        let planted = planted.into_iter().enumerate();
        Self {
            planted: planted
                .map(|(index, (measure, styles))| Planted {
                    measure,
                    styles,
                    direction: unit(index as u64),
                })
                .collect(),
            is_face: |_, _| true,
            read: 0,
        }
    }
}

impl Faces for Linear {
    async fn draw(&mut self, index: usize) -> Result<Option<Vec<f32>>, FitError> {
        Ok(Some(normals(5, index as u64, DIM).repeat(STYLES)))
    }

    async fn read(&mut self, codes: EditedCodes) -> Result<Option<Reading>, FitError> {
        self.read += 1;
        let codes = codes.rows;
        if !(self.is_face)(self.read, &codes) {
            return Ok(None);
        }
        let mut values = [1.0; MEASURES];
        for Planted {
            measure,
            styles,
            direction,
        } in &self.planted
        {
            let rows = codes[styles.start * DIM..styles.end * DIM].chunks_exact(DIM);
            let along = rows.map(|row| {
                let products = row.iter().zip(direction);
                products
                    .map(|(code, value)| f64::from(*code) * value)
                    .sum::<f64>()
            });
            values[*measure as usize] = 5.0 + along.sum::<f64>() / styles.len() as f64;
        }
        let yaw = values[Measure::Yaw as usize] as f32;
        Ok(Some(Reading {
            values,
            landmarks: std::array::from_fn(|i| [0.01 * i as f32 + 0.02 * yaw, 0.5]),
        }))
    }
}

/// Faces of a fit. The ridge is strong for a few hundred codes: with fewer of them directions are less exact.
const DRAWN: usize = 400;

fn plan() -> FitPlan {
    FitPlan {
        samples: DRAWN,
        styles: STYLES,
        style_dim: DIM,
        shared: true,
        probes: vec![
            Probe {
                name: "yaw too".to_owned(),
                offset: Offset {
                    rows: unit(1).iter().map(|&value| value as f32).collect(),
                    styles: 0..4,
                    channels: None,
                },
                strength: 2.0,
            },
            Probe {
                name: "nothing".to_owned(),
                offset: Offset {
                    rows: vec![1.0; DIM],
                    styles: 4..8,
                    channels: None,
                },
                strength: 2.0,
            },
        ],
    }
}

/// Fits, and stops before the given step.
fn run(
    model: &mut Linear,
    plan: &FitPlan,
    journal: &mut Journal,
    stop: usize,
) -> Result<Fit, FitError> {
    let mut steps = 0;
    pollster::block_on(fit(
        model,
        plan,
        journal,
        async |Progress { done, total, .. }, _| {
            assert!(done <= total);
            steps += 1;
            match steps > stop {
                true => Err(FitError::Given("stopped".to_owned())),
                false => Ok(()),
            }
        },
    ))
}

/// Why a measure got no slider.
fn reason(fit: &Fit, measure: Measure) -> Dropped {
    let mut dropped = fit.dropped.iter();
    dropped.find(|(other, _)| *other == measure).unwrap().1
}

fn whole() -> Fit {
    run(
        &mut Linear::new(),
        &plan(),
        &mut Journal::new("k"),
        usize::MAX,
    )
    .unwrap()
}

#[test]
fn planted_directions_are_found_in_their_styles() {
    let fit = whole();
    assert_eq!(fit.drawn, [DRAWN, DRAWN]);
    let found: Vec<_> = fit.sliders.iter().map(|slider| slider.measure).collect();
    assert_eq!(
        found,
        [Measure::Smile, Measure::Yaw, Measure::SkinLightness]
    );
    for (slider, planted) in fit.sliders.iter().zip(Linear::new().planted) {
        assert_eq!(slider.styles, planted.styles, "{:?}", slider.measure);
        assert_eq!(slider.rows.len(), DIM);
        let along: f64 = slider
            .rows
            .iter()
            .zip(&planted.direction)
            .map(|(a, b)| f64::from(*a) * b)
            .sum();
        let length = slider
            .rows
            .iter()
            .map(|a| f64::from(*a).powi(2))
            .sum::<f64>()
            .sqrt();
        assert!(
            along / length > 0.97,
            "{:?}: {}",
            slider.measure,
            along / length
        );
        // Strength 1 is a standard deviation of the measure.
        assert!(
            (along - slider.deviation).abs() < 1e-3 * along,
            "{along} {}",
            slider.deviation
        );
        assert!(
            slider.spill.1 < 0.3 && (1.5..=2.0).contains(&slider.reach),
            "{:?}",
            slider.spill
        );
        let moves = if slider.measure == Measure::Yaw {
            0.02 * along as f32
        } else {
            0.0
        };
        for [x, y] in slider.displacements {
            assert!(
                (x - moves).abs() < 0.005 && y == 0.0,
                "{:?}: {x} {y}",
                slider.measure
            );
        }
    }
    let constant = |(_, reason): &(Measure, Dropped)| *reason == Dropped::Constant;
    assert!(fit.dropped.len() == MEASURES - 3 && fit.dropped.iter().all(constant));
    let [yaw, nothing] = &fit.followed[..] else {
        panic!("two probes")
    };
    let displacements = yaw.displacements.unwrap();
    assert!(
        displacements.iter().all(|[x, _]| (x - 0.02).abs() < 1e-4),
        "{:?}",
        displacements[0]
    );
    assert_eq!(
        (displacements.len(), nothing.displacements),
        (LANDMARKS, None)
    );
}

#[test]
fn a_stopped_fit_goes_on_as_if_it_had_not_been() {
    let whole = whole();
    let mut journal = Journal::new("k");
    let (mut readings, mut stops) = (0, 0);
    let found = loop {
        let mut model = Linear::new();
        // A few steps behind those that are known already; the journal goes through a file in between.
        let known = journal.pictures();
        let found = run(&mut model, &plan(), &mut journal, known + 61);
        readings += model.read;
        match found {
            Ok(fit) => break fit,
            Err(error) => assert_eq!(error.to_string(), "stopped"),
        }
        stops += 1;
        journal = Journal::from_bytes(&journal.to_bytes().unwrap(), "k").unwrap();
    };
    assert!(stops > 5);
    assert_eq!(found, whole);
    // Nothing was read twice.
    assert_eq!(readings, journal.pictures());
}

#[test]
fn a_model_of_other_things_is_told_soon() {
    let mut model = Linear::new();
    model.is_face = |index, _| index % 4 == 0;
    let error = run(&mut model, &plan(), &mut Journal::new("k"), usize::MAX).unwrap_err();
    assert!(
        matches!(
            error,
            FitError::NoFaces {
                faces: 6,
                pictures: 24
            }
        ),
        "{error}"
    );
    assert_eq!(model.read, 24);
    // Also before a fit, which then need not read the first pictures again.
    let check = |model: &mut Linear, journal: &mut Journal| {
        pollster::block_on(check_faces(model, &plan(), journal, async |_, _| {
            Ok::<_, FitError>(())
        }))
    };
    let mut model = Linear::new();
    model.is_face = |index, _| index % 4 == 0;
    let error = check(&mut model, &mut Journal::new("k")).unwrap_err();
    assert!(
        matches!(error, FitError::NoFaces { faces: 6, .. }),
        "{error}"
    );
    let (mut model, mut journal) = (Linear::new(), Journal::new("k"));
    check(&mut model, &mut journal).unwrap();
    assert_eq!((model.read, journal.pictures()), (24, 24));
    let fit = run(&mut model, &plan(), &mut journal, usize::MAX).unwrap();
    assert_eq!((fit, model.read), (whole(), journal.pictures()));
    let few = FitPlan {
        samples: 30,
        ..plan()
    };
    let error = run(&mut Linear::new(), &few, &mut Journal::new("k"), usize::MAX).unwrap_err();
    assert!(
        matches!(error, FitError::TooFew { faces: 30, .. }),
        "{error}"
    );
}

#[test]
fn sliders_that_do_harm_are_dropped_with_a_reason() {
    // The draws and 30 trials of the first slider show faces, and nothing after them.
    let mut model = Linear::new();
    model.is_face = |read, _| read <= DRAWN + 30;
    let fit = run(&mut model, &plan(), &mut Journal::new("k"), usize::MAX).unwrap();
    assert!(fit.sliders.is_empty());
    assert_eq!(reason(&fit, Measure::Smile), Dropped::LosesFaces(0.0));
    assert_eq!(reason(&fit, Measure::Yaw), Dropped::Weak(0.0));
}

#[test]
fn sliders_that_move_other_measures_are_dropped() {
    // Brows that go with the smile wherever codes are edited, though not where they are drawn.
    struct Spilling(Linear);
    impl Faces for Spilling {
        async fn draw(&mut self, index: usize) -> Result<Option<Vec<f32>>, FitError> {
            self.0.draw(index).await
        }
        async fn read(&mut self, codes: EditedCodes) -> Result<Option<Reading>, FitError> {
            let reading = self.0.read(codes.clone()).await?;
            let (smile, brows) = (Measure::Smile as usize, Measure::BrowHeight as usize);
            Ok(reading.map(|mut reading| {
                let drawn = self.0.read <= DRAWN;
                let own = f64::from(codes.rows[1] - codes.rows[0]);
                reading.values[brows] = if drawn {
                    own
                } else {
                    own + reading.values[smile]
                };
                reading
            }))
        }
    }
    let fitted = pollster::block_on(fit(
        &mut Spilling(Linear::new()),
        &plan(),
        &mut Journal::new("k"),
        async |_, _| Ok::<_, FitError>(()),
    ));
    let reason = reason(&fitted.unwrap(), Measure::Smile);
    assert!(
        matches!(reason, Dropped::Spills(Measure::BrowHeight, share) if share > 0.6),
        "{reason:?}"
    );
}
