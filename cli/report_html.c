/* The frame of the report's page: head, style, and the few elements that its sections are made of. */
#include <string.h>

#include "report.h"

/* ---- texts ----------------------------------------------------------------------------------- */

/* Bytes of the character that begins here; 0 = it is no UTF-8. */
static size_t character(const unsigned char *t) {
    size_t length = t[0] < 0x80   ? 1
                    : t[0] < 0xc2 ? 0
                    : t[0] < 0xe0 ? 2
                    : t[0] < 0xf0 ? 3
                    : t[0] < 0xf5 ? 4
                                  : 0;
    for (size_t i = 1; i < length; i++)
        if ((t[i] & 0xc0) != 0x80)
            return 0;
    if ((t[0] == 0xe0 && t[1] < 0xa0) || (t[0] == 0xed && t[1] > 0x9f) ||
        (t[0] == 0xf0 && t[1] < 0x90) || (t[0] == 0xf4 && t[1] > 0x8f))
        return 0;
    return length;
}

static int is_control(const unsigned char *t) {
    return (t[0] < ' ' && t[0] != '\n' && t[0] != '\t') || t[0] == 0x7f ||
           (t[0] == 0xc2 && t[1] < 0xa0);
}

void html_text(FILE *out, const char *text) {
    for (const unsigned char *t = (const unsigned char *)text; *t;) {
        size_t length = character(t);
        if (!length || is_control(t))
            fputs("\xef\xbf\xbd", out); /* U+FFFD */
        else if (*t == '&')
            fputs("&amp;", out);
        else if (*t == '<')
            fputs("&lt;", out);
        else if (*t == '>')
            fputs("&gt;", out);
        else if (*t == '"')
            fputs("&quot;", out);
        else if (*t == '\'')
            fputs("&#39;", out);
        else
            fwrite(t, 1, length, out);
        t += length ? length : 1;
    }
}

void html_time(FILE *out, int64_t ms) {
    char text[32];
    if (ms == CTCD_TIME_NONE ||
        ctcd_time_format(ms - ((ms % 1000) + 1000) % 1000, text, sizeof text)) {
        fputs("&#8211;", out);
        return;
    }
    fprintf(out, "<time datetime=\"%s\">%.10s %.8s</time>", text, text, text + 11);
}

void html_badge(FILE *out, const char *mood, const char *text) {
    fprintf(out, "<span class=\"badge %s\">", mood);
    html_text(out, text);
    fputs("</span>", out);
}

/* ---- elements -------------------------------------------------------------------------------- */

void html_cell_open(FILE *out, const char *column) {
    fprintf(out, "<td data-label=\"%s\"><div>", column);
}

void html_cell_close(FILE *out) {
    fputs("</div></td>", out);
}

void html_cell(FILE *out, const char *column, const char *text) {
    if (*text) {
        html_cell_open(out, column);
        html_text(out, text);
        html_cell_close(out);
    } else {
        fprintf(out, "<td class=\"none\" data-label=\"%s\">–</td>", column);
    }
}

void html_section(FILE *out, const char *id, const char *heading) {
    fprintf(out,
            "<section id=\"%s\" aria-labelledby=\"%s-heading\">\n<h2 id=\"%s-heading\">%s</h2>\n",
            id, id, id, heading);
}

void html_section_close(FILE *out) {
    fputs("</section>\n", out);
}

void html_table(FILE *out, const char *caption, const char *const *columns) {
    fprintf(out, "<table>\n<caption>%s</caption>\n<thead><tr>", caption);
    for (; *columns; columns++)
        fprintf(out, "<th scope=\"col\">%s</th>", *columns);
    fputs("</tr></thead>\n<tbody>\n", out);
}

void html_table_close(FILE *out) {
    fputs("</tbody>\n</table>\n", out);
}

/* ---- the page -------------------------------------------------------------------------------- */

/* No colour without a shape or a word beside it; a narrow window turns rows into blocks; paper is white,
   and nothing on it is cut in the middle. */
static const char style[] =
    ":root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#5a6577;"
    "--line:#d9dee6;--ok:#17703b;--bad:#b3261e;--wait:#8a5a00;--off:#5a6577;--series:#2b5fb8;"
    "--ok-back:#e3f4e9;--bad-back:#fbe6e4;--wait-back:#fbf0d9;--off-back:#eceff3}\n"
    "@media (prefers-color-scheme:dark){:root{--page:#12161d;--card:#1b212b;--ink:#e6e9ee;"
    "--soft:#a3aebf;--line:#343d4b;--ok:#6fd294;--bad:#ff9d94;--wait:#f0c36a;--off:#a3aebf;"
    "--series:#8ab4ff;--ok-back:#16321f;--bad-back:#3d1d1b;--wait-back:#38290c;--off-back:#28303c}}"
    "\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"
    "\"Segoe UI\",\"Liberation Sans\",Arial,sans-serif;overflow-wrap:anywhere}\n"
    "main,header,footer{max-width:72rem;margin:0 auto;padding:0 1rem}\n"
    "h1{font-size:1.5rem;margin:1.5rem 0 .25rem}\n"
    "h2{font-size:1.15rem;margin:0 0 .75rem}\n"
    "h3{font-size:1rem;margin:0 0 .25rem}\n"
    ".soft,footer{color:var(--soft);font-size:.875rem}\n"
    "footer{padding-bottom:2rem}\n"
    "section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem;"
    "margin:1rem 0}\n"
    "nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;margin:.5rem 0;padding:0}\n"
    "a{color:var(--series)}\n"
    "dl.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,11rem),1fr));"
    "gap:.75rem;margin:0}\n"
    "dl.facts div{border-left:3px solid var(--line);padding-left:.75rem}\n"
    "dt{color:var(--soft);font-size:.875rem}\n"
    "dd{margin:0;font-size:1.05rem}\n"
    "table{width:100%;border-collapse:collapse;font-size:.9rem}\n"
    "caption{text-align:left;color:var(--soft);font-size:.875rem;padding-bottom:.5rem}\n"
    "th,td{text-align:left;vertical-align:top;padding:.4rem .6rem .4rem 0;"
    "border-bottom:1px solid var(--line)}\n"
    "th{color:var(--soft);font-weight:600;font-size:.8rem;overflow-wrap:normal}\n"
    "tbody tr:last-child td{border-bottom:0}\n"
    "td[data-label=Run],td[data-label=Of]{min-width:9.5rem}"
    "td[data-label=Reasons],td[data-label=Remarks],td[data-label=What]{min-width:12rem}"
    "figure td{min-width:0!important}\n"
    "time{white-space:nowrap;font-variant-numeric:tabular-nums}\n"
    ".number{font-variant-numeric:tabular-nums}\n"
    "code{font:.85em ui-monospace,\"Liberation Mono\",monospace}\n"
    ".badge{display:inline-block;border-radius:1rem;padding:0 .6rem;font-size:.8rem;"
    "font-weight:600;white-space:nowrap;border:1px solid transparent}\n"
    ".ok{color:var(--ok);background:var(--ok-back)}.bad{color:var(--bad);background:var(--bad-back)"
    "}"
    ".wait{color:var(--wait);background:var(--wait-back)}.off{color:var(--off);"
    "background:var(--off-back)}\n"
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));"
    "gap:1.25rem}\n"
    "figure{margin:0;max-width:38rem}\n"
    "figure svg{display:block;width:100%;height:auto}\n"
    "figcaption{font-size:.875rem;color:var(--soft)}\n"
    "svg text{fill:var(--soft);font:11px system-ui,\"Liberation Sans\",Arial,sans-serif}\n"
    "svg .axis{stroke:var(--soft);fill:none}svg .grid{stroke:var(--line);fill:none}\n"
    "svg .series{stroke:var(--series);fill:none;stroke-width:1.5}svg .dot{fill:var(--series)}\n"
    "svg .limit{stroke:var(--wait);fill:none;stroke-dasharray:5 3}\n"
    "svg .promote{fill:var(--ok);stroke:var(--card)}\n"
    "svg .reject{stroke:var(--bad);stroke-width:2.5;fill:none;stroke-linecap:round}\n"
    "svg .inconclusive{stroke:var(--wait);stroke-width:2;fill:var(--card)}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;margin:0 0 1rem;padding:0;"
    "font-size:.875rem}.legend "
    "svg{width:.9rem;height:.9rem;margin-right:.4rem;vertical-align:-.1rem}\n"
    "details{margin-top:.5rem;font-size:.875rem}summary{cursor:pointer;color:var(--soft)}\n"
    "@media screen and (max-width:60rem){\n"
    "thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}\n"
    "table,tbody,tr,td,caption{display:block}\n"
    "tr{border-bottom:1px solid var(--line);padding:.5rem 0}tbody tr:last-child{border-bottom:0}\n"
    "td{border:0;padding:.1rem 0;min-width:0!important;display:grid;grid-template-columns:6.5rem "
    "minmax(0,1fr);gap:.5rem}\n"
    "td.none{display:none}svg text{font-size:13px}\n"
    "td::before{content:attr(data-label);color:var(--soft);font-size:.8rem;padding-top:.1rem}\n"
    "}\n"
    "@media print{\n"
    ":root{--page:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--ok:#17703b;--bad:#b3261e;"
    "--wait:#8a5a00;--off:#444;--series:#2b5fb8;--ok-back:#fff;--bad-back:#fff;--wait-back:#fff;"
    "--off-back:#fff}\n"
    "html{font-size:10px}body{font-size:1rem}main,header,footer{max-width:none;padding:0}nav,"
    "details{display:none}\n"
    "section{border:0;padding:0;margin:0 0 "
    "1.5em}h2{break-after:avoid}tr,figure{break-inside:avoid}\n"
    "thead{display:table-header-group}.badge{border-color:currentColor}a{color:inherit}\n"
    ".plots{grid-template-columns:1fr 1fr}\n"
    "}\n";

void html_head(FILE *out, const char *home) {
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
          "'unsafe-inline'; form-action 'none'; base-uri 'none'\">\n"
          "<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"generator\" "
          "content=\"ctcd ",
          out);
    html_text(out, ctcd_version());
    fputs("\">\n<title>ctcd report: ", out);
    html_text(out, home);
    fputs("</title>\n<style>\n", out);
    fputs(style, out);
    fputs("</style>\n</head>\n<body>\n", out);
}

void html_foot(FILE *out) {
    fputs("<footer><p>All times are UTC. Written by ctcd ", out);
    html_text(out, ctcd_version());
    fputs("; what is shown was so when it was written.</p></footer>\n</body>\n</html>\n", out);
}
