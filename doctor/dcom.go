package doctor

// dcomPath is what the checks of WMI over DCOM found, each field by one check
// and for those that need it.
type dcomPath struct{}
