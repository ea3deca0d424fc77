"""What the pages of the server say in the Portuguese of Brazil, by the English of it.

What the command line says too is in `portuguese.py`.
"""

PAGES = {
    "80 % interval": "intervalo de 80 %",
    "95 % interval": "intervalo de 95 %",
    "A password is needed": "É preciso uma senha",
    "Against yesterday's close": "Contra o fechamento anterior",
    "All forecasts on record": "Todas as previsões registradas",
    "All tickers": "Todos os ativos",
    "Any name will do, with the token of this server as the password.": (
        "Qualquer nome serve; a senha é o token deste servidor."
    ),
    "As of": "Situação em",
    "Before relying on it": "Antes de confiar nela",
    "CSV for Excel": "CSV para Excel",
    "Chart: closes of {ticker} from {first} to {last}, and the forecast for {targets}": (
        "Gráfico: fechamentos de {ticker} de {first} a {last} e a previsão para {targets}"
    ),
    "Close that came": "Fechamento real",
    "Each session to come": "Cada um dos próximos pregões",
    "Earlier": "Mais antigas",
    "Forecast for": "Previsão para",
    "Forecasts": "Previsões",
    "Forecasts farther ahead than the model learned were not tested.": (
        "Previsões além do horizonte que o modelo aprendeu não foram testadas."
    ),
    "Forecasts on record": "Previsões registradas",
    "Held so far": "Acertos até agora",
    "It is on record for whoever runs this server.": (
        "O erro ficou registrado para quem cuida deste servidor."
    ),
    "Its prices do not suffice, or cannot be used as they are.": (
        "Os preços dele não bastam ou não podem ser usados como estão."
    ),
    "Language": "Idioma",
    "Last close": "Último fechamento",
    "Later": "Mais recentes",
    "Latest forecasts:": "Últimas previsões:",
    "Made, {city} time": "Feita em (hora de {city})",
    "More was asked for than is answered at once.": (
        "Foi pedido mais do que se responde de uma vez."
    ),
    "More tickers": "Mais ativos",
    "No forecast for now": "Sem previsão no momento",
    "No forecast yet": "Ainda sem previsão",
    "No ticker is called so.": "Nenhum ativo tem esse nome.",
    "None yet: the next one is put on record as it is made.": (
        "Nenhuma ainda: a próxima é registrada assim que for feita."
    ),
    "Pages": "Páginas",
    "Perhaps its address was mistyped.": "Talvez o endereço tenha sido digitado errado.",
    "Point at a session, or tap it, to read it; the arrow keys go on from there.": (
        "Aponte para um pregão, ou toque nele, para ler os valores; as setas do teclado "
        "seguem dali."
    ),
    "Record of {ticker}": "Registro de {ticker}",
    "Result": "Resultado",
    "Search": "Buscar",
    "Sessions {first} to {last} ahead": "Do {first}º ao {last}º pregão à frente",
    "Something else is being stored just now.": "Outra gravação está em andamento.",
    "Something went wrong here": "Algo deu errado aqui",
    "The latest first, each beside what came; intervals as the model gave them, not adapted": (
        "As mais recentes primeiro, cada uma ao lado do que veio; intervalos como o modelo os "
        "deu, sem adaptação"
    ),
    "The next close of each ticker that has a model": (
        "O próximo fechamento de cada ativo que tem um modelo"
    ),
    "There are no forecasts here.": "Não há previsões aqui.",
    "There is no forecast of it here yet.": "Aqui ainda não há previsão para ele.",
    "There is no such page": "Esta página não existe",
    "The chart has the model's own intervals, not adapted.": (
        "O gráfico mostra os intervalos do próprio modelo, sem adaptação."
    ),
    "Intervals: as the model gave them, not adapted.": (
        "Intervalos: como o modelo os deu, sem adaptação."
    ),
    "The tickers before": "Ativos anteriores",
    "These forecasts": "Estas previsões",
    "This cannot be shown": "Isto não pode ser mostrado",
    "This forecast": "Esta previsão",
    "This forecast is not on record.": "Esta previsão não está registrada.",
    "Too many others are asking just now.": "Há pedidos demais neste momento.",
    "Try again in a moment": "Tente de novo daqui a pouco",
    "What is stored for it is damaged and has to be repaired first.": (
        "O que está guardado para ele foi danificado e precisa ser reparado antes."
    ),
    "close outside its 95 % interval": "fechamento fora do intervalo de 95 %",
    "close {price}": "fechamento {price}",
    "closes": "fechamentos",
    "forecast {price}": "previsão {price}",
    "inside {level}": "dentro de {level}",
    "last close": "último fechamento",
    "late": "feita depois do pregão",
    "no forecast for now": "sem previsão no momento",
    "none has closed yet": "ainda sem resultado",
    "outside {level}": "fora de {level}",
    "page {number}": "página {number}",
    "waiting": "aguardando",
    "of {n}": "de {n}",
    "{count} session behind": "{count} pregão de atraso",
    "{count} session has ended since the last close that is stored here.": (
        "{count} pregão terminou depois do último fechamento guardado aqui."
    ),
    "{count} sessions have ended since the last close that is stored here.": (
        "{count} pregões terminaram depois do último fechamento guardado aqui."
    ),
    "{count} sessions ahead": "{count} pregões à frente",
    "{first:,} to {last:,} of {found:,} tickers": "{first:,} a {last:,} de {found:,} ativos",
    "{held} (of one, too few to tell)": "{held} (de uma só: poucas para concluir algo)",
    "{held} (of {count}, too few to tell)": "{held} (de {count}: poucas para concluir algo)",
    "{held} (of {n})": "{held} (de {n})",
    "{level}: {low} to {high}": "{level}: {low} a {high}",
    "{share} inside {level}": "{share} dentro de {level}",
}
"""Texts that pages pass to `say`."""

PAGES_TOLD = {
    "Hong Kong": "Hong Kong",
    "London": "Londres",
    "New York": "Nova York",
    "São Paulo": "São Paulo",
    "Tokyo": "Tóquio",
}
"""Texts of theirs that `english` makes."""
