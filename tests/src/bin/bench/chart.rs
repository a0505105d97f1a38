//! Bars, as a picture for the documentation.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

/// How the values become lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// As they are.
    Linear,
    /// Each power of ten as long as any other; from a microsecond on.
    Logarithmic,
}

/// Groups of bars, in each one for every series.
#[derive(Clone, Debug)]
pub struct Bars {
    title: &'static str,
    scale: Scale,
    series: Vec<String>,
    groups: Vec<(String, Vec<(f64, String)>)>,
}

const WIDTH: i32 = 860;
const LABELS: i32 = 250;
/// Where the longest bar ends; its value stands behind it.
const END: i32 = WIDTH - 90;
const BAR: i32 = 14;
const GAP: i32 = 12;
const HEAD: i32 = 34;
const COLOURS: [RGBColor; 5] = [
    RGBColor(0x1f, 0x4e, 0x79),
    RGBColor(0x5b, 0x9b, 0xd5),
    RGBColor(0xb3, 0x54, 0x1e),
    RGBColor(0xf0, 0x9a, 0x5b),
    RGBColor(0x4f, 0x8f, 0x4f),
];

impl Bars {
    /// Without any yet.
    pub fn new(title: &'static str, scale: Scale, series: impl IntoIterator<Item = String>) -> Self {
        Self { title, scale, series: series.into_iter().collect(), groups: Vec::new() }
    }

    /// Adds a group: for each series the value and how it is written.
    pub fn group(&mut self, label: String, values: impl IntoIterator<Item = (f64, String)>) {
        self.groups.push((label, values.into_iter().collect()));
    }

    /// Draws them.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn draw(&self, path: &Path) -> Result<()> {
        // What the drawing reports borrows from it.
        self.paint(path).map_err(|error| anyhow!("cannot draw {}: {error}", path.display()))
    }

    fn paint(&self, path: &Path) -> Result<(), Box<dyn std::error::Error>> {
        let legend = if self.series.len() > 1 { 18 * i32::try_from(self.series.len())? } else { 0 };
        let bars = i32::try_from(self.groups.iter().map(|(_, values)| values.len()).sum::<usize>())?;
        let height = HEAD + bars * BAR + i32::try_from(self.groups.len())? * GAP + legend + GAP;
        let root = SVGBackend::new(path, (WIDTH.unsigned_abs(), height.unsigned_abs())).into_drawing_area();
        root.fill(&WHITE)?;
        let text = |text: String, x: i32, y: i32, size: i32| Text::new(text, (x, y), ("sans-serif", size).into_font());
        root.draw(&text(self.title.to_owned(), GAP, 7, 20))?;
        let lengths = self.groups.iter().flat_map(|(_, values)| values).map(|(value, _)| self.length(*value));
        let longest = lengths.fold(f64::MIN_POSITIVE, f64::max);
        let mut y = HEAD;
        for (label, values) in &self.groups {
            let middle = y + i32::try_from(values.len())? * BAR / 2 - 7;
            root.draw(&text(label.clone(), GAP, middle, 16))?;
            for ((value, words), colour) in values.iter().zip(COLOURS.iter().cycle()) {
                #[expect(clippy::cast_possible_truncation, reason = "at most the width of the picture")]
                let end = LABELS + (self.length(*value) / longest * f64::from(END - LABELS)) as i32;
                root.draw(&Rectangle::new([(LABELS, y), (end.max(LABELS + 1), y + BAR - 2)], colour.filled()))?;
                root.draw(&text(words.clone(), end + 5, y - 1, 14))?;
                y += BAR;
            }
            y += GAP;
        }
        if legend > 0 {
            for (name, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
                root.draw(&Rectangle::new([(LABELS, y + 2), (LABELS + 12, y + 12)], colour.filled()))?;
                root.draw(&text(name.clone(), LABELS + 18, y + 1, 15))?;
                y += 18;
            }
        }
        root.present()?;
        Ok(())
    }

    fn length(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => (value / 1e-6).max(1.0).log10(),
        }
    }
}
