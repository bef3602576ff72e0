package pool

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/casementhq/casement/doctor"
)

// DoctorParameters are those of KindDoctor. The output is the report as JSON.
type DoctorParameters struct {
	// Transports are winrm, dcom; none is both.
	Transports []string `json:"transports,omitempty"`
}

var actDoctor = act{
	repeats: true, limit: 90 * time.Second,
	check: func(raw json.RawMessage) error { _, err := parse[DoctorParameters](raw); return err },
	do: func(ctx context.Context, j *job) (Result, error) {
		p, err := parse[DoctorParameters](j.parameters)
		if err != nil {
			return Result{}, err
		}
		g := j.worker.gather
		report := g.o.Examine(ctx, j.link.target(p.Transports...), doctor.Options{Credentials: j.link.as.Credentials, Tickets: g.o.Tickets,
			Settings: g.o.Settings, NTLM: g.o.NTLM, DialContext: g.o.DialContext, Log: g.o.Log})
		if report == nil {
			return Result{}, errors.New("the doctor gave no report")
		}
		out, err := json.Marshal(report)
		if err != nil {
			return Result{}, err
		}
		r := Result{State: Done, Words: string(report.Verdict), Output: string(out)}
		if report.Cause != nil {
			r.Words += ": " + report.Cause.Title
		}
		if r.Words == string(doctor.Blocked) || report.Verdict == doctor.Blocked {
			r.State = Failed
		}
		return r, nil
	},
}
