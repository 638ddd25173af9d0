use super::*;
use crate::level::tests::at_every_level;
use crate::reference::{Case, assert_close, cases};

#[test]
fn it_agrees_with_the_definition() {
    at_every_level(|_| {
        for case in cases() {
            let Case {
                geometry,
                input,
                output,
                ..
            } = case;
            let gradient = case.output_like(3);
            let ours = weight_gradient(&case.images(), &gradient, geometry, input, output);
            assert_close(
                &ours,
                &case.weight_gradient(&gradient),
                &format!("{case:?}"),
            );
        }
    });
}
