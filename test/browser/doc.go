// Package browser is a person in front of the console: Chromium driven through
// the walks of spec/console.md 7, against the real binary and real services.
//
// It is a module of its own, so that what drives a browser stays out of the
// product's. Without Chromium its tests are a visible skip; with CASEMENT_CI=1
// they fail. Every message of the browser's console that no test named
// beforehand fails the test that was in front of it, and axe-core looks at each
// page that is seen. CASEMENT_SCREENSHOTS names a folder for what was seen.
package browser
