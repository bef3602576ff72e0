// Package console is the web page of the pool, and the JSON API beside it, over
// the pool, the doctor and the clients. See docs/pool.md, and spec/console.md 2
// to 4 for pages, texts and rules.
//
// New makes a Console; it is the http.Handler of a listener with TLS of its own.
// Every route is registered in one table (route.go) with the role that it needs;
// the gate there asks sign-in and role before a handler runs, and Console.act
// writes the audit entry before anything is done. What servers say is text
// everywhere: templates escape it, the script sets textContent.
//
// A page is a handler and a template:
//
//	c.page("GET /servers/{name}/disks", Reader, func(rq *request) error {
//		e, err := c.server(rq) // 404 with near matches
//		if err != nil {
//			return err
//		}
//		c.render(rq, http.StatusOK, "disks.html", page{Title: e.Name + " · Disks", Nav: "/servers", Data: …})
//		return nil
//	})
//
// templates/disks.html defines "main"; {{.May "Operator"}} tells what the role may,
// and {{.Why "Operator"}} is the reason of a control that is disabled. What changes
// something is a POST, does its work inside of Console.act, and answers with a
// redirect, or a *problem. What is live is a topic: c.live.follow("disks", source{…})
// once, data-live="disks:srv04" on an element, data-f="NAME" inside of it, and a load
// that returns {"f": fields} or {"rows": []liveItem}; see live.go and assets/live.js.
package console
