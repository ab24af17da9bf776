#include "api/calibration_text.h"

namespace pith {
namespace {

// Several literals, because a compiler need not take one above 64 KiB (and MSVC stops at 16).
constexpr std::string_view kText =
    R"text(The lighthouse keeper's daughter had counted the steps so often that she no longer needed the lamp: two hundred and
eleven from the kitchen to the gallery, with a landing after every thirty. On the evening when the supply boat did not
come she climbed them slowly, one hand on the cold rail, and listened to the wind trying each window in turn. "If they
have any sense," her father had said over the soup, "they'll lie in the harbour until it blows itself out." But sense,
as both of them knew, was not what people were hired for on this coast. At the top she wiped the glass, trimmed the
wick, and saw, a long way out and much too far to the north, a small yellow light that rose, hung, and sank again.

A reservoir smooths the flow of a river by storing water when there is too much of it and releasing water when there is
too little. The capacity that is needed depends on three things: the variability of the inflow, the demand, and the
reliability that users expect. Doubling the reliability from 95 % to 97.5 % of years may require a third more storage,
because droughts tend to come in runs. In 1883 the engineer W. Rippl proposed to plot the accumulated inflow over time;
the largest vertical distance between that curve and a line of constant demand gives the storage. The method is still
taught, although nobody today would trust a single historical record of 40 or 50 years.

## Installing the client

1. Download the archive for your system from the releases page and unpack it.
2. Copy `config.example.toml` to `config.toml` and set at least `server.url` and `server.token`.
3. Run `client --check`. It prints `configuration ok` or the line and column of the first mistake.

> **Note:** the token is read once at start-up. To change it, restart the service with `systemctl restart client`.

| Option      | Default | Meaning                                        |
|-------------|--------:|------------------------------------------------|
| `--retries` |       3 | attempts before a request counts as failed     |
| `--timeout` |   30 s  | time limit for each attempt, including connect |

)text"
    R"text(import csv
from collections import defaultdict
from pathlib import Path


def monthly_totals(path: Path, *, currency: str = "EUR") -> dict[str, float]:
    """Sum the amounts in a bank export by month; rows in other currencies are skipped."""
    totals: dict[str, float] = defaultdict(float)
    with path.open(newline="", encoding="utf-8") as f:
        for row in csv.DictReader(f, delimiter=";"):
            if row["currency"] != currency:
                continue
            year, month, _day = row["date"].split("-")
            totals[f"{year}-{month}"] += float(row["amount"].replace(",", "."))
    return dict(sorted(totals.items()))


if __name__ == "__main__":
    for month, total in monthly_totals(Path("export.csv")).items():
        print(f"{month}  {total:>12.2f}")

#include <stdint.h>
#include <string.h>

/* Returns the index of the first set bit at or after `from`, or `n` if there is none. */
static size_t next_set_bit(const uint64_t *words, size_t n, size_t from) {
    for (size_t i = from; i < n; i = (i | 63) + 1) {
        uint64_t w = words[i >> 6] >> (i & 63);
        if (w != 0) {
            size_t found = i + (size_t)__builtin_ctzll(w);
            return found < n ? found : n;
        }
    }
    return n;
}

export async function fetchPage(url, { signal, retries = 2 } = {}) {
  for (let attempt = 0; ; attempt++) {
    const response = await fetch(url, { signal, headers: { Accept: "application/json" } });
    if (response.ok) return response.json();
    if (response.status < 500 || attempt === retries) throw new Error(`${url}: HTTP ${response.status}`);
    await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** attempt));
  }
}

SELECT c.name, COUNT(*) AS orders, SUM(o.total_cents) / 100.0 AS revenue
  FROM customers AS c
  JOIN orders AS o ON o.customer_id = c.id
 WHERE o.created_at >= DATE '2023-04-01' AND o.status <> 'cancelled'
 GROUP BY c.name
HAVING SUM(o.total_cents) > 100000
 ORDER BY revenue DESC
 LIMIT 20;

)text"
    R"text({
  "station": {"id": "DE-0473", "name": "Oberhausen Nord", "lat": 51.5234, "lon": 6.8417, "height_m": 38},
  "interval_minutes": 10,
  "readings": [
    {"time": "2024-02-11T06:00:00Z", "temperature": 3.4, "humidity": 91, "wind": {"speed": 4.1, "direction": 235}},
    {"time": "2024-02-11T06:10:00Z", "temperature": 3.3, "humidity": 92, "wind": {"speed": 3.8, "direction": 231}},
    {"time": "2024-02-11T06:20:00Z", "temperature": 3.3, "humidity": null, "wind": {"speed": 4.4, "direction": 240}}
  ],
  "quality": {"checked": true, "flags": ["humidity_gap"], "operator": null}
}

id,title,year,pages,price
1041,"Notes on Tides, Volume 2",1998,312,18.50
1042,Der kleine Garten,2004,96,9.90
1043,"Cartes et plans, 1789-1815",2011,448,42.00

2024-03-07 23:58:41.207 INFO  [scheduler-1] job=nightly-backup started, source=/srv/data, target=s3://backup-eu/2024-03-07
2024-03-07 23:58:41.883 DEBUG [scheduler-1] 18234 files to compare, 412 changed since last run
2024-03-08 00:03:12.019 WARN  [uploader-4] part 17 of archive-0003.tar failed: connection reset by peer (10.4.0.17:443), retrying in 2000 ms
2024-03-08 00:03:14.530 INFO  [uploader-4] part 17 of archive-0003.tar done, 67108864 bytes in 2.41 s
2024-03-08 00:11:58.774 ERROR [scheduler-1] job=nightly-backup finished with 1 error, 412 files, 3.8 GiB, 797 s
192.0.2.44 - - [08/Mar/2024:00:12:03 +0000] "GET /api/v2/status?verbose=1 HTTP/1.1" 200 1832 "-" "curl/7.88.1"
192.0.2.91 - alice [08/Mar/2024:00:12:04 +0000] "POST /login HTTP/1.1" 302 0 "https://example.org/login" "Mozilla/5.0"

<article id="a7" lang="en"><h2>Opening hours</h2>
  <p>The library is open <time datetime="10:00">from ten</time> to six, on <em>Thursdays</em> until eight.</p>
  <ul class="contact"><li><a href="mailto:desk@example.org">desk@example.org</a></li><li>+44 20 7946 0958</li></ul>
</article>

)text"
    R"text(Als der Zug endlich hielt, stand niemand auf dem Bahnsteig außer einem alten Mann mit einem Koffer, den er nicht aus den
Augen ließ. »Sie kommen spät«, sagte er, ohne zu grüßen, »aber das ist hier nichts Besonderes.« Über den Dächern lag
noch Nebel, und aus der Bäckerei gegenüber roch es nach frischem Brot.

La réunion de mardi a été reportée à la semaine suivante, car plusieurs membres du conseil n'avaient pas reçu les
documents à temps. On y discutera du budget, de l'entretien des écoles et, s'il reste du temps, du nouveau règlement
sur l'éclairage des rues.

El río baja crecido desde hace tres días y los pescadores han dejado las barcas en la orilla. Según el servicio
meteorológico, las lluvias continuarán hasta el jueves; después se espera un descenso lento del nivel del agua.

Il museo è aperto tutti i giorni tranne il lunedì. Il biglietto costa otto euro e comprende la visita della torre.

Вчера вечером в городе отключили свет, и весь дом собрался на кухне у соседей: пили чай, играли в карты и вспоминали,
как зимой замёрзла река. Потом лампочка мигнула, и все разошлись по своим квартирам.

Η θάλασσα ήταν ήρεμη εκείνο το πρωί και τα παιδιά έτρεχαν ξυπόλητα στην άμμο.

今天早上下了一场小雨,街上的人都撑着伞慢慢地走。书店还没有开门,门口已经有几个学生在等新到的杂志。

駅前の小さな喫茶店では、窓際の席から川が見えます。店主は毎朝六時に豆を挽き、常連客の好みをよく覚えています。

할머니는 마당에 앉아 고추를 말리면서 지나가는 사람들에게 인사를 건네셨다.

وصل القطار متأخرًا ساعتين، فجلس المسافرون في المقهى يشربون الشاي ويتحدثون عن الطقس.

सुबह की पहली बस पहाड़ी रास्ते से धीरे-धीरे नीचे उतरती है और हर गाँव में रुकती है।

Subject: Re: draft of chapter 3
From: Marta Lindqvist <marta@example.com>
Date: Wed, 14 Jun 2023 09:21:37 +0200

Hi Tom,

thanks for the comments -- most of them are easy. I agree that figure 3.2 is too crowded; I'd rather split it in two than
shrink the labels. About the proof of Lemma 4: if x <= y and f is monotone, then f(x) <= f(y), so the sum over i = 1..n
is at most n * f(y), which is all we need. Could you have a look at section 3.5 before Friday?

Best,
Marta
)text";

}  // namespace

std::string_view CalibrationText() { return kText; }

}  // namespace pith
