package console

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
)

// point is a value of a chart.
type point struct {
	At    time.Time
	Value float64
}

// chart is a line of percentages over time, as SVG without style attributes. Its
// title sums it up, and its points are a table for who does not see it.
type chart struct {
	Title     string
	Points    []point
	Threshold float64 // 0: none
}

const (
	chartWidth  = 640
	chartHeight = 120
)

// Summary is the chart in a sentence.
func (c chart) Summary() string {
	if len(c.Points) == 0 {
		return c.Title + ": nothing is known yet."
	}
	low, high, sum := c.Points[0].Value, c.Points[0].Value, 0.0
	for _, p := range c.Points {
		low, high, sum = min(low, p.Value), max(high, p.Value), sum+p.Value
	}
	last := c.Points[len(c.Points)-1].Value
	return fmt.Sprintf("%s: now %s, between %s and %s, %s on average, from %s.", c.Title, percentText(last), percentText(low), percentText(high),
		percentText(sum/float64(len(c.Points))), refreshes(len(c.Points)))
}

// SVG is the drawing: numbers of ours and nothing of a server's.
func (c chart) SVG() template.HTML {
	if len(c.Points) < 2 {
		return ""
	}
	first, last := c.Points[0].At, c.Points[len(c.Points)-1].At
	width := max(last.Sub(first).Seconds(), 1)
	y := func(v float64) float64 { return chartHeight - max(0, min(v, 100))/100*(chartHeight-8) - 4 }
	var line strings.Builder
	for n, p := range c.Points {
		if n > 0 {
			line.WriteByte(' ')
		}
		line.WriteString(strconv.FormatFloat(p.At.Sub(first).Seconds()/width*chartWidth, 'f', 1, 64))
		line.WriteByte(',')
		line.WriteString(strconv.FormatFloat(y(p.Value), 'f', 1, 64))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s">`, chartWidth, chartHeight, template.HTMLEscapeString(c.Summary()))
	for _, v := range []float64{0, 50, 100} {
		fmt.Fprintf(&b, `<line class="grid" x1="0" x2="%d" y1="%.1f" y2="%.1f"/>`, chartWidth, y(v), y(v))
	}
	if c.Threshold > 0 {
		fmt.Fprintf(&b, `<line class="threshold" x1="0" x2="%d" y1="%.1f" y2="%.1f"/>`, chartWidth, y(c.Threshold), y(c.Threshold))
	}
	fmt.Fprintf(&b, `<polyline class="line" points="%s"/></svg>`, line.String())
	return template.HTML(b.String()) // #nosec G203 -- numbers, and a title that is escaped
}

func refreshes(n int) string {
	if n == 1 {
		return "1 refresh"
	}
	return countText(n) + " refreshes"
}
