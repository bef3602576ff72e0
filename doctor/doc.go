// Package doctor says why a machine cannot be managed, and what to type.
//
// Examine walks the path of a remote call in order, over WinRM and over DCOM,
// as docs/pool.md draws it: each check is one file, proves one thing, and needs
// what stands before it. A Report has every check's result, one cause with its
// confidence, and remedies as exact commands, least intrusive first.
//
//	report := doctor.Examine(ctx, doctor.Target{Name: "srv07"}, doctor.Options{Credentials: c})
//	report.WriteText(os.Stdout, doctor.TextOptions{})
//
// The doctor learns from the clients' Trace and from CIM, as any client could.
package doctor
