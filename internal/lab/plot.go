package lab

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"gorgone/internal/simulate"
)

// colors tell the schedules apart, also for those who do not see red and green
// (Okabe and Ito's palette).
var colors = map[string]color.RGBA{
	simulate.Tiers:    {A: 255},
	simulate.Smart:    {R: 213, G: 94, A: 255},
	simulate.Even:     {R: 153, G: 153, B: 153, A: 255},
	simulate.ByAge:    {R: 230, G: 159, A: 255},
	simulate.Adaptive: {G: 114, B: 178, A: 255},
	simulate.Known:    {G: 158, B: 115, A: 255},
	simulate.Bound:    {R: 204, G: 121, B: 167, A: 255},
}

// plotCurves draws error against cost, both logarithmic, and saves it to a file of which
// the name ends in .svg or .png.
func plotCurves(file, title string, curves []simulate.Curve) error {
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text = "paid tweets per tweet"
	p.Y.Label.Text = "delay per engagement, minutes"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Legend.Top = true
	p.Add(plotter.NewGrid())
	for _, c := range curves {
		var points plotter.XYs
		for _, x := range c.Points {
			if x.Lookups > 0 && x.Delay > 0 && !math.IsNaN(x.Delay) {
				points = append(points, plotter.XY{X: x.Lookups, Y: x.Delay})
			}
		}
		if len(points) == 0 {
			continue
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return fmt.Errorf("plot %s: %w", c.Name, err)
		}
		line.Color, marks.Color = colors[c.Name], colors[c.Name]
		line.Width, marks.Radius = vg.Points(1.5), vg.Points(2.5)
		if len(points) == 1 {
			marks.Radius = vg.Points(5)
			p.Add(marks)
			p.Legend.Add(c.Name, marks)
			continue
		}
		p.Add(line, marks)
		p.Legend.Add(c.Name, line, marks)
	}
	if err := p.Save(18*vg.Centimeter, 13*vg.Centimeter, file); err != nil {
		return fmt.Errorf("plot: %w", err)
	}
	return nil
}
