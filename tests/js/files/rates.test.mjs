import assert from "node:assert/strict";
import test from "node:test";
import { createRates } from "../../../static/js/files/rates.js";

test("a rate is the mean of the last seconds", () => {
  const rates = createRates();
  assert.equal(rates.note("a", 0, 0), null, "one sample is no rate");
  assert.equal(rates.note("a", 1000, 1000), 1000);
  assert.equal(rates.note("a", 4000, 2000), 2000);
  assert.equal(rates.note("a", 8000, 6000), 1000, "older samples are forgotten");
});

test("a rate begins anew where less is there than before", () => {
  const rates = createRates();
  rates.note("a", 9000, 0);
  assert.equal(rates.note("a", 10, 1000), null);
  assert.equal(rates.note("b", 0, 1000), null, "another file has its own");
});
