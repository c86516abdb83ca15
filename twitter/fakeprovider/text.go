package fakeprovider

// texts are what the tweets of a population say. Some hold what makes a careless
// parser stumble: quotes, backslashes, braces, line ends, other scripts, emoji.
var texts = [...]string{
	"The council votes on the new tram line tonight. What is in the 240-page report, and why it matters:",
	"Correction: the bridge is closed for northbound traffic only. Sorry for the alarm, and thanks to all who wrote in.",
	"\"Nobody told us\", says the mayor. Yet the minutes of 12 March say {\"agreed\": true}, word for word.",
	"Marée exceptionnelle ce soir à Saint-Malo 🌊 coefficient 114, prudence sur la digue !",
	"Train 8412 is back on its way.\n\nDelay: 47 min\nReason: a swan on the line 🦢\nThe swan is well.",
	"今夜の月はとても大きい。写真は三脚で撮りました。 #月",
	"Unpopular opinion: C:\\Users\\me\\Desktop\\final_v7_REALLY_final.docx is a perfectly good version control system",
	"Rain radar says ten minutes. The sky says two. Run.",
	"Quelqu'un a perdu un doudou lapin gris près du manège ? Il attend à l'accueil de la médiathèque 🐰",
	"Thread: how we found the leak, what we should have noticed on Monday, and the 3 a.m. call that explained it all 🧵 (1/14)",
	"ارتفاع طفيف في درجات الحرارة غدا، مع رياح خفيفة على الساحل",
	"They did it. 93rd minute. I have no voice left. 👏👏👏",
	"We are hiring a night editor: calm, fast, allergic to exclamation marks. Half the team is remote, all of it drinks coffee. Apply by Friday.",
	"Предварительные результаты ожидаются после полуночи, следите за обновлениями",
}
