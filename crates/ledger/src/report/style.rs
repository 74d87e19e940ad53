//! How the page looks. Colours keep apart with common colour blindness (Okabe and Ito 2008); text has at least the
//! contrast of 4.5 : 1 in both themes.

pub(super) const SHEET: &str = "\
:root{--paper:#fbfaf8;--card:#fff;--ink:#1d1d1f;--muted:#6a6a70;--rule:#e4e2dd;--grid:#eceae5;--c0:#0072b2;--c1:#b35c00;\
--c2:#007a5a;--c3:#a4508b;--c4:#3d8fc4;--c5:#8a6d00;--c6:#c03b1c;--c7:#6a6a70;--lost:#c8401f;--good:#0a6b2d;--warn:#a15c00;\
--h0:#2166ac;--h1:#4f8fc4;--h2:#8ab8da;--h3:#c3dbeb;--h4:#f0efec;--h5:#f8d9b8;--h6:#f0ae6c;--h7:#dd7d2a;--h8:#b3510a}\
@media(prefers-color-scheme:dark){:root{--paper:#131315;--card:#1c1c1f;--ink:#ececee;--muted:#a0a0a8;--rule:#34343a;--grid:#2a2a2f;\
--c0:#5db4ea;--c1:#f0a54a;--c2:#3fc49c;--c3:#e08fc6;--c4:#8fcdf3;--c5:#dcc04a;--c6:#ff8a6b;--c7:#a0a0a8;--lost:#ff8a6b;\
--good:#6fdc8c;--warn:#f0a54a;--h0:#6ab0f0;--h1:#4a86bd;--h2:#35608a;--h3:#28425c;--h4:#26262a;--h5:#533a22;--h6:#86551f;\
--h7:#c27a24;--h8:#f5a742}}\
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;\
font-variant-numeric:tabular-nums}main{max-width:72rem;margin:0 auto;padding:2rem 1.25rem 3rem}\
h1{font-size:1.9rem;line-height:1.2;margin:0;overflow-wrap:anywhere}h2{font-size:1.2rem;margin:2.5rem 0 .75rem}\
h3{font-size:.95rem;margin:0 0 .25rem;font-weight:600}h3 small{font-weight:400;color:var(--muted);margin-left:.5em}\
.muted,footer,small{color:var(--muted)}header p{margin:.4rem 0 0}.state span{display:inline-block;padding:.05rem .6rem;\
border:1px solid currentColor;border-radius:1rem;margin-right:.4rem;font-size:.85rem}.good{color:var(--good)}.warn{color:var(--warn)}\
.live{color:var(--c0)}\
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.8rem,1fr));gap:.75rem;margin-top:1.5rem}\
.tile{background:var(--card);border:1px solid var(--rule);border-radius:.75rem;padding:.75rem .9rem}\
.tile span{display:block;font-size:.8rem;color:var(--muted)}.tile strong{display:block;font-size:1.2rem;font-weight:600;\
line-height:1.3;white-space:nowrap}.tile small{display:block;font-size:.78rem;line-height:1.35}\
.charts{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:1rem}.card{background:var(--card);border:1px solid var(--rule);\
border-radius:.75rem;padding:.9rem 1rem .6rem;min-width:0}.hero{grid-column:1/-1}.narrow{display:none}\
@media(max-width:46rem){.charts{grid-template-columns:minmax(0,1fr)}.wide{display:none}.narrow{display:block}\
main{padding:1.25rem .9rem 2rem}h1{font-size:1.5rem}.tiles{grid-template-columns:repeat(2,minmax(0,1fr))}\
.tile:last-child:nth-child(odd){grid-column:1/-1}}\
svg{display:block;width:100%;height:auto;overflow:visible}svg text{font:11px system-ui,sans-serif;fill:var(--muted)}\
.grid{stroke:var(--grid);stroke-width:1}.line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}\
.raw{fill:none;stroke-width:1;opacity:.35}.band{opacity:.16;stroke:none}.lost{fill:none;stroke:var(--lost);stroke-width:1.5;\
stroke-dasharray:4 3}.mark{stroke:var(--muted);stroke-width:1;stroke-dasharray:1 3}.dot{stroke:var(--card);stroke-width:1.5}\
.probe rect{fill:transparent}.probe line,.probe text,.probe circle{opacity:0;pointer-events:none}.probe line{stroke:var(--muted)}\
.probe text{fill:var(--ink);font-weight:600;paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}\
.probe:hover line,.probe:hover text,.probe:hover circle{opacity:1}\
.key{display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.8rem;color:var(--muted);margin:.1rem 0 .4rem}.key i{display:inline-block;\
width:1.1em;height:0;border-top:2px solid;vertical-align:middle;margin-right:.4em}.key .dashed{border-top-style:dashed}\
.layer{display:grid;grid-template-columns:2.2rem minmax(0,1fr) 3.4rem;gap:.5rem;align-items:center;margin-bottom:3px;font-size:.75rem;\
color:var(--muted)}.layer svg{shape-rendering:crispEdges;border-radius:3px}.layer span:first-child{text-align:right}\
.heat{display:flex;align-items:center;gap:.5rem;font-size:.75rem;color:var(--muted);margin:.6rem 0 .2rem 2.7rem}\
.heat i{display:inline-block;width:1.3rem;height:.7rem}.heat div{display:flex}\
.samples{list-style:none;margin:0;padding:0}.samples li{background:var(--card);border:1px solid var(--rule);border-radius:.75rem;\
padding:.6rem .9rem;margin-bottom:.6rem}.samples p{margin:.15rem 0 0;font-family:Georgia,'Times New Roman',serif;font-size:1.05rem;\
white-space:pre-wrap;overflow-wrap:anywhere}.samples b{font-weight:400;color:var(--muted)}.step{font-size:.78rem;color:var(--muted)}\
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}th,td{padding:.4rem .6rem;border-bottom:1px solid var(--rule);\
text-align:right;white-space:nowrap}th:first-child,td:first-child{text-align:left}th{font-size:.8rem;font-weight:600;color:var(--muted)}\
dl{margin:1rem 0 0}dl div{display:grid;grid-template-columns:13rem minmax(0,1fr);gap:0 1rem;padding:.45rem .6rem;\
border-bottom:1px solid var(--rule)}dd{margin:0}dd small{display:block;font-size:.8rem}dt{color:var(--muted)}\
@media(max-width:46rem){dl div{grid-template-columns:minmax(0,1fr)}}sup{line-height:0;font-size:.7em}\
footer{margin-top:2.5rem;font-size:.8rem;overflow-wrap:anywhere}code{font-size:.9em}";
