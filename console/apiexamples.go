package console

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"strconv"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed apiexamples.json
var apiExamplesFile []byte

// apiExample is an example of what an operation takes and gives.
type apiExample struct {
	In  any `json:"in"`
	Out any `json:"out"`
}

// apiExamples are by the id of the operation.
var apiExamples = sync.OnceValue(func() map[string]apiExample {
	var m map[string]apiExample
	if err := json.Unmarshal(apiExamplesFile, &m); err != nil {
		panic("console: apiexamples.json: " + err.Error()) // a test reads it
	}
	return m
})

// examples puts the examples of an operation into its description, and one of each error.
func (a *api) examples(item *huma.PathItem, verb, id string) {
	op := map[string]*huma.Operation{http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete}[verb]
	example := apiExamples()[id]
	if op.RequestBody != nil {
		for _, m := range op.RequestBody.Content {
			m.Example = example.In
		}
	}
	for status, r := range op.Responses {
		code, err := strconv.Atoi(status)
		if err != nil {
			continue
		}
		for _, m := range r.Content {
			switch {
			case code < http.StatusMultipleChoices:
				m.Example = example.Out
			default:
				m.Example = map[string]any{"type": "about:blank", "title": http.StatusText(code), "status": code, "detail": errorDetails[code], "instance": "urn:casement:request:7q2m4x"}
			}
		}
	}
}

// errorDetails are what errors say, for the examples.
var errorDetails = map[int]string{
	http.StatusUnauthorized:        "Nobody is signed in, or the session has ended. Sign in, and try it again.",
	http.StatusForbidden:           "Your role may not do this. It needs the role Operator.",
	http.StatusNotFound:            "The pool has no server srv00. It may have been removed or renamed.",
	http.StatusConflict:            "Deleting anna on srv04 failed: System error 2221. The user name could not be found (exit code 2).",
	http.StatusUnprocessableEntity: "A query has between 1 and 4096 characters.",
	http.StatusInternalServerError: "The console could not answer request 7q2m4x. Its log says why, under that number.",
	http.StatusBadGateway:          "Asking srv04 failed: 0x80041003 WBEM_E_ACCESS_DENIED.",
	http.StatusServiceUnavailable:  "The audit log cannot be written, so nothing was done.",
}
