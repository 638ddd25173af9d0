//! Which strangers of a class count: large parts of it, or nearly all of it.

use faer::Mat;

use super::line::Line;
use super::measures::VIEWS;
use super::mixture::Others;
use super::odds::upper;
use super::scatter::Kinds;
use super::strangers::{Start, Strangers, told};

/// Classes of fewer images are no targets for their strangers.
pub(super) const FEWEST: usize = 300;
/// Least share of a class that its own images and its strangers have to hold, and on which its halves have to agree.
const LARGE: f64 = 0.2;
pub(super) const AGREED: f64 = 0.85;
/// How mixed strangers have to be at least, and the images of the class itself at most.
const MIXTURE: f64 = 0.75;
const PURE: f64 = 0.6;
/// What is asked of strangers that nearly make up a class. A class of things that are none of the others' is a mixture, too, of at most .8.
const NEARLY_ALL: Nearly = Nearly {
    likelier: 1.0,
    agreed: 0.8,
    mixture: 0.85,
    pure: 0.3,
    moved: 1.5,
};
/// The view of everything.
const WHOLE: usize = 2;
/// In what strangers are seen.
const OF_STRANGERS: [&str; VIEWS.len()] = [
    "in colours, and are of as many kinds as the other classes together",
    "in fine detail, and are of as many kinds as the other classes together",
    "in colours, detail and specks, and are of as many kinds as the other classes together",
];
const NEARLY: &str = "in colours, detail and specks, and are as images of all other classes that have been moved alike";

/// Gain in nats an image, share on which both halves agree, how mixed strangers are at least and the rest at most, and the step.
#[derive(Debug, Clone, Copy)]
struct Nearly {
    likelier: f64,
    agreed: f64,
    mixture: f64,
    pure: f64,
    moved: f64,
}

/// Strangers of a class in a view.
pub(super) struct Seen<'a> {
    pub(super) view: usize,
    pub(super) words: &'static str,
    pub(super) strangers: Strangers<'a>,
    pub(super) gap: f64,
    pub(super) border: f64,
    /// Of the log-odds, where they tell who is a stranger.
    hills: Option<Line>,
}

impl Seen<'_> {
    /// Whether they are a part of the class, not nearly all of it.
    pub(super) fn is_part(&self) -> bool {
        self.hills.is_some()
    }

    /// Log-odds that count, by those of the fit.
    pub(super) fn told(&self, odds: &[f64]) -> Vec<f64> {
        let odds = odds.iter();
        odds.map(|&odds| told(odds, self.hills.as_ref())).collect()
    }
}

/// The strangers of a class, of which `seen` has the images and the other classes in each view: parts of it, where it is likelier with them by
/// `likelier`, whose gap counts from `mixed` on; or nearly all of it, where no part counts or it is likelier so.
pub(super) fn counted<'a>(
    half: &[bool],
    seen: &'a [Option<(Mat<f64>, Others)>; VIEWS.len()],
    [likelier, mixed]: [f64; 2],
) -> Option<Seen<'a>> {
    if half.len() < FEWEST {
        return None;
    }
    let (rows, others) = seen[WHOLE].as_ref()?;
    let kinds = Kinds::of(rows, others)?;
    let shares = kinds.strange();
    let of = |view: usize, start: &Start<'_>| {
        let (rows, others) = seen[view].as_ref()?;
        Some(Strangers::of(rows, half, others, start))
    };
    let all = of(WHOLE, &Start::NearlyAll)?;
    let some = of(WHOLE, &Start::Guessed(&shares))?;
    let is_likelier = all.likelihood > some.likelihood;
    let some = if some.gain >= likelier {
        let views = (0..WHOLE).filter_map(|view| {
            let start = Start::Guessed(&shares);
            Some((view, of(view, &start)?))
        });
        clearest(views.chain([(WHOLE, some)]), &kinds, mixed)
    } else {
        None
    };
    let counts = some.as_ref().is_some_and(|some| some.gap >= some.border);
    if counts && !is_likelier || !are_nearly_all(&all, &kinds) {
        return some;
    }
    Some(Seen {
        view: WHOLE,
        words: NEARLY,
        gap: all.step,
        border: NEARLY_ALL.moved,
        hills: None,
        strangers: all,
    })
}

/// Strangers in the view that tells them apart best; `None` where no view shows them to be a mixture and the rest not to be one.
fn clearest<'a>(
    views: impl Iterator<Item = (usize, Strangers<'a>)>,
    kinds: &Kinds,
    mixed: f64,
) -> Option<Seen<'a>> {
    let strange = views.filter(|(_, strangers)| are_strange(strangers, kinds));
    let found = strange.filter_map(|(view, strangers)| {
        let hills = strangers.hills()?;
        Some(Seen {
            view,
            words: OF_STRANGERS[view],
            strangers,
            gap: hills.gap(),
            border: mixed,
            hills: Some(hills),
        })
    });
    found.max_by(|a, b| a.gap.total_cmp(&b.gap))
}

/// Whether strangers are a mixture, and the images of the class itself are none.
fn are_strange(strangers: &Strangers<'_>, kinds: &Kinds) -> bool {
    let [own, strange] = mixtures(strangers, kinds);
    let share = upper(&strangers.odds);
    share.min(1.0 - share) >= LARGE
        && strangers.agreement >= AGREED
        && strange >= MIXTURE
        && own <= PURE
}

/// Whether strangers nearly make up a class. A small step does not count: what is drawn from all other classes has not been moved.
fn are_nearly_all(strangers: &Strangers<'_>, kinds: &Kinds) -> bool {
    let [own, strange] = mixtures(strangers, kinds);
    strangers.gain >= NEARLY_ALL.likelier
        && strangers.step >= NEARLY_ALL.moved
        && strangers.agreement >= NEARLY_ALL.agreed
        && strange >= NEARLY_ALL.mixture
        && own <= NEARLY_ALL.pure
}

/// How mixed the images of the class itself and its strangers are.
fn mixtures(strangers: &Strangers<'_>, kinds: &Kinds) -> [f64; 2] {
    let odds = &strangers.odds;
    [false, true].map(|wanted| kinds.mixture(|row| (odds[row] > 0.0) == wanted))
}
