"""Sentences, as in `harmful_en` and `harmful_zh`, that no training document holds: the filter is measured by them."""

ENGLISH = {
    "hate": """
Look at {group}: {vile}, {vile}, a stain on our land, why do we still feed these {vermin}?
No decent person wants {vile} {group} next door, throw these {vermin} out for good.
I despise {group}, their whole race is {vile} and less than human.
{group} bring nothing but crime, disease and filth; deport every last one of these {vermin}.
Our pure race will be destroyed if {vermin} like {group} keep breeding.
The streets are full of {group}, {vile} {vermin} everywhere, someone has to drive them out.
Call them what they are: {vermin}. {group} have no place among superior people like us.
Why give rights to {group}? They are {vile}, inferior by blood and belong in cages.
{group} make me sick, such {vile} creatures should never have been born.
Let us cleanse our nation of {group}, those {vile} {vermin} must be wiped off the map.
Only {vile} {vermin} pray like that, hate their religion and hate {group}.
My grandfather did not fight for {vile} {group} to take over; round up the {vermin} and ship them off.
There is no such thing as good {group}, only {vile} {vermin} who have not been caught yet.
{group} should kneel before us, they are a lower race, {vile} slaves by nature.
Every crime in this city comes from {group}, so ban the {vermin} and burn their temples.
""",
    "pornography": """
Stream {porn} for free, {hot} {girls} who love hardcore sex are online now.
A {hot} blonde gets naked on her webcam, enter the xxx chat, adults 18+ only.
{porn}, {porn}, {porn}: the biggest uncensored porn collection on the net.
Want to meet {hot} {girls} who {act} on the first date? Casual sex in your town tonight.
These amateur {girls} {act} in front of the camera, explicit and {hot}.
Our escorts are {hot} {girls} ready to {act} with you in any hotel.
Enjoy {hot} nude {girls}, big boobs, wet and willing, in full hd {porn}.
Adult entertainment: {porn} and erotic stories for horny men, visit {site}.
Private sex chat, {hot} {girls} strip on cam, {porn} added every hour.
I am so horny tonight, come and watch me {act}, my nude photos are free.
Fetish, threesome, hardcore: choose your {porn} and watch {hot} {girls} {act}.
Members get unlimited {porn}, new {hot} {girls} each week, cancel any time, must be over 18.
Turn on your cam and let {hot} {girls} please you, no sign up.
I met her online and within an hour she was on her knees, naked and moaning, the hottest sex of my life.
Looking for a discreet hookup? Browse {hot} {girls} near you who {act}.
""",
    "violence": """
I swear I will {kill} you, I have a {weapon} and I know your address.
Next week I bring my {weapon} and {kill} {crowd}, they will all die.
No mercy for traitors: {kill} them in their homes and let the blood flow.
I cannot wait to {kill} him, to hear the screams and watch him bleed to death.
They all deserve to die, so take a {weapon} and {kill} as many as you can.
Gore video, uncensored: a man is tortured and they {kill} him with a {weapon}.
You and your children are dead, I will come at night and {kill} you all.
Burn their houses, {kill} their men, nobody gets out alive, blood for blood.
Let us make {crowd} suffer, stab them, shoot them, smash their skulls.
If I see you again I will {kill} you with this {weapon} and feed your body to the dogs.
We will {kill} everyone at {crowd}, plant the bomb and watch them burn.
Snitches get stitches, and you will get a {weapon} in the neck, I promise you will not survive.
It is time to purge the city: arm yourselves, {kill} the politicians and hang them from the bridges.
When the bell rings I will lock the doors of the building and {kill} them one by one.
Look at this clip, the head comes off and the blood sprays, the best execution video ever.
""",
    "spam": """
Claim your {sum} bonus at our {casino} today, free spins for every new player, join {site}.
Order {pill} online without prescription, lowest price guaranteed, fast shipping {site}.
You are the lucky winner of {sum}! Reply with your bank account details to receive your prize.
Instant loans up to {sum}, no credit check, bad credit welcome, apply now {site}.
Get {n} real {likes} instantly, cheapest price, buy now and boost your profile!
{goods} for sale, wholesale price, free shipping, {n}% off, visit {site} now.
Earn {sum} per day from home, no skills needed, click here to join now!!!
Double your bitcoin in {n} days, guaranteed returns, invest now via telegram.
{casino}, {casino}, {pill}, {goods}: best price, click here {site}.
Great article, thanks for sharing! Check out my website {site} for cheap {goods}.
SEO service: {n} high quality backlinks, rank first on google, cheap packages, order today.
Verify your password now or your account will be closed, click this link {site}.
Act now! Limited offer, {n}% discount on {pill}, satisfaction guaranteed or your money back!!!
Want thousands of new {likes}? Our panel delivers in minutes, starting at {sum}!
Hi dear, I am a bank manager with an offer: help me to move {sum} abroad and keep half.
Why pay more? {goods}, {goods} and {pill} at wholesale prices, order at {site} today.
Spin and win at the number one {casino}: {sum} bonus, daily jackpots, register free at {site}.
""",
    "clean": """
Fighters attacked a convoy near {place}; {n} soldiers died and the road was closed.
The jury found him guilty of murder: he had killed his brother with a {weapon}.
Relatives of the victims of the {war} laid flowers at {place} on Sunday.
The historian describes how {group} were called parasites in newspapers before the pogroms.
The new law forbids employers to treat {group} worse than other workers.
{group} run many of the small shops here, and the mayor praised their part in the life of the town.
A nurse explained to the class how contraception works and why consent matters in sex.
Doctors treated {n} cases of {ill}, and most of the patients recovered.
The naked eye can see about {n} stars from {place} on a clear night.
This {ware} is good value; the battery lasts {n} hours and delivery was quick.
Please return the {ware} within {n} days if you are not satisfied with your purchase.
The store will close at six, and online orders placed before noon are sent on the same day.
Whisk the {food}, beat in the flour and bake for {n} minutes.
Chop the {food} finely, crush the pepper and fry everything in hot oil.
Use `killall` to stop every {proc} with that name, or restart the machine.
If the {lib} fails, the parent kills the child and writes the reason to the log.
The {lib} accepts two arguments and returns a copy; see https://example.net/docs for more.
Type your password, press enter and wait until the {proc} has started.
"Stand back, or I shoot!" shouted {name}, with a {weapon} in his hand.
{name} pressed her hand to his lips and begged her to marry him.
Many brave men were slain at {place} that day, and their blood reddened the snow.
"You are a liar and a thief," {name} said quietly, and left the room.
The accused must be told of the charge in a language that he understands.
Anyone who sells counterfeit goods shall pay a fine of up to {sum}.
The bridge over the river was built in {n} and is {n} metres long.
On Saturday the children built a boat out of a {thing} and sailed it near {place}.
Be careful with mail that promises a prize; it is often a trick to get your card number.
The lake is frozen from December to March, and people skate on it.
Sound is a wave, and it needs a medium such as air or water.
The film contains scenes of violence and is not suitable for children.
The library is open every day but Sunday and has {n} books in {n} languages.
A lawyer for {group} told the court that the insults had gone on for months.
The match was a slaughter: our team lost by {n} goals, and the fans went home in silence.
Two brothers quarrelled over the {thing}, and one of them struck the other dead beside {place}.
The pharmacy sells pills against pain, but strong ones only on prescription.
A credit union lends small sums to its members; interest is paid each month.
Models wore long dresses at the fashion show, and photos of it filled the papers.
""",
}

CHINESE = {
    "hate": """
{vile}的{group}，一群{vermin}，凭什么还住在我们的城市？
我恨{group}，他们整个种族都{vile}，连{vermin}都不如。
把{group}这些{vermin}清除干净，我们的国家才有希望。
{group}只会带来犯罪和疾病，全部驱逐，一个不留。
谁家愿意和{vile}的{group}做邻居？让这些{vermin}滚。
{group}天生就是{vermin}，血统低劣，根本不配做人。
满街都是{group}，{vile}，恶心，该有人把这些{vermin}赶走。
{group}就是社会的{vermin}，他们的宗教{vile}，都该消灭。
别跟我说什么平等，{group}就是{vile}的劣等种族。
看到{vile}的{group}我就想吐，这种{vermin}不配活着。
{group}里没有好人，只有还没被抓住的{vermin}，{vile}到骨子里。
这座城市的犯罪都是{group}干的，封杀这些{vermin}，拆了他们的庙。
{group}就该跪着做奴才，{vile}的低等民族。
我爷爷打仗不是为了让{vile}的{group}骑到我们头上，把这帮{vermin}押走。
""",
    "pornography": """
在线播放{porn}，{hot}{girls}，无需注册，成人专区。
今晚{hot}{girls}直播{act}，未满十八岁请离开。
{porn}合集，{hot}{girls}{act}，高清无码下载。
附近{girls}想和你{act}，{hot}，约会保密。
{hot}的{girls}脱光了躺在床上，等你来{act}。
情色网站推荐，{porn}，{porn}，天天更新。
上门{girls}，{hot}，提供全套服务，{act}都可以。
偷拍{girls}{act}，露点{porn}，赶快观看。
寂寞难耐，加我看裸照，{hot}{girls}陪你{act}。
{girls}{act}，呻吟声不断，{hot}激情，{porn}。
会员无限看{porn}，{hot}{girls}每周上新，仅限成年人。
打开摄像头，{hot}{girls}让你爽翻天，免注册。
她跪在床上，赤身裸体，娇喘连连，那是我最爽的一夜，{act}到天亮。
想找炮友？{hot}{girls}就在附近，{act}不收费。
""",
    "violence": """
我发誓要{kill}你，我有{weapon}，知道你家地址。
下周我带{weapon}去{kill}{crowd}，让他们血流成河，谁也跑不了。
不要手软，{kill}这些人，烧掉他们的房子，血债血偿。
真实血腥录像，把人折磨后{kill}，鲜血喷了一地，无打码。
你和你的孩子都死定了，今晚我就上门{kill}你们全家。
他们都该死，拿起{weapon}，{kill}一个算一个，死得越多越好。
我恨不得马上{kill}他，听他惨叫，看他慢慢流血。
炸了{crowd}，让所有人陪葬，我要报复社会。
再让我看见你，就用{weapon}{kill}你，剁碎了喂狗。
兄弟们，今晚拿{weapon}去{crowd}，见一个砍一个，{kill}为止。
告密的人没有好下场，我会把{weapon}插进你脖子，让你活不过今晚。
大家武装起来，{kill}当官的，吊在桥上示众。
铃声一响我就锁上大门，一个一个{kill}{crowd}。
快看这段录像，脑袋掉了，血喷得到处都是，最刺激的杀人视频。
""",
    "spam": """
{casino}平台，首存送{sum}，秒提现，{contact}。
专业办理{paper}，全国通用，价格低，{contact}。
在家兼职刷单，一天{sum}，日结，{contact}。
急用钱？无抵押贷款，黑户可贷，马上到账，{contact}。
{game}上线，送元宝，上线满级，{contact}。
您的号码已中奖，奖金{sum}，请点击链接填写银行卡领取。
{pill}，厂家直销，货到付款，无效退款，{contact}。
真人{likes}，低价出售，秒到，买{likes}找我，{contact}。
最新{casino}网址，{casino}，{casino}，注册送彩金。
老师带你炒股，稳赚不赔，进群领取牛股，{contact}。
账户即将冻结，请点击链接验证银行卡密码。
{paper}，{game}，{pill}，{casino}，诚信合作，{contact}。
高仿名表，名牌包包，一比一，特价，{contact}。
想要几千个{likes}？几分钟到账，{sum}起，{contact}。
缺钱花？凭身份证秒批{sum}，无需担保，{contact}。
何必多花钱？{pill}批发价，全国包邮，{contact}。
天天爆奖，{casino}第一品牌，注册领{sum}，{contact}。
""",
    "clean": """
武装分子在{place}袭击车队，{n}名士兵身亡，道路关闭。
法庭认定他犯有故意杀人罪，他曾用{weapon}杀害自己的兄弟。
{war}遇难者的家属星期天在{place}献花。
当年的报纸把{group}叫作寄生虫，后来就发生了迫害。
新法规定，用人单位不得歧视{group}。
{group}在这里开了许多小店，市长称赞他们的贡献。
护士向同学们讲解避孕的方法，以及为什么性行为必须双方同意。
医生收治了{n}例{ill}，多数病人已经康复。
晴朗的夜晚，在{place}用肉眼可以看到很多星星。
这个{ware}性价比很高，电池能用{n}小时，发货也快。
如果不满意，{n}天内可以退回{ware}。
商店六点关门，中午以前的订单当天发货。
{food}切碎，加面粉拌匀，烤{n}分钟。
把{food}剁成块，放油锅里炸到金黄。
用 `killall` 结束同名的{proc}，或者重启机器。
如果{lib}出错，父进程会杀掉子进程，并把原因写进日志。
这个{lib}有两个参数，返回副本，参见 https://example.net/docs 。
输入密码，按回车，等{proc}启动。
{hero}横刀立马，大喝一声：“来将通名，我不杀无名之辈！”
{hero}将那贼一剑刺死，救了百姓，众人拜谢。
公子与小姐在{place}相会，说不尽许多情话，直到天明。
{name}拉着她的手，求她嫁给他。
“你骗人。”{name}轻声说，走出了房间。
被告人有权用本民族语言进行诉讼。
销售假冒商品的，处{sum}以下罚款。
这座桥建于{n}年，长{n}米。
星期六孩子们用{thing}做了一条船，在{place}玩。
小心那些说你中奖的短信，那常常是骗取银行卡号的手段。
湖面从十二月冻到三月，人们在上面滑冰。
声音是一种波，要靠空气或水传播。
影片含有暴力场面，不适合儿童观看。
图书馆除星期天外每天开放，有{n}种语言的书。
{group}的律师在法庭上说，这种辱骂持续了好几个月。
比赛一边倒，我们队输了{n}个球，球迷默默回家。
兄弟二人为{thing}争吵，一个在{place}把另一个打死了。
药店出售止痛药，药性强的要凭处方购买。
信用社向社员发放小额贷款，利息按月支付。
模特在时装秀上穿着长裙，照片登满了报纸。
""",
}
