package doctor

// conclude finds the cause among what failed, and what to do.
func conclude(_ *examination, r *Report) {
	r.Verdict = OK
	r.Transports = map[string]Reach{}
	for _, c := range r.Checks {
		if c.Outcome == Fail || c.Outcome == Crash {
			r.Verdict = Unknown
		}
	}
	r.Not, r.Remedies = []NotCause{}, []Remedy{}
}
