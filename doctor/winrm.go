package doctor

// winrmFacts are what the checks of WinRM found, each written by the check that
// is named beside it.
type winrmFacts struct {
}
