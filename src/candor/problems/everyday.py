"""What everyday requests are about, in both languages: things, kinds of things, facts, rude sentences, questions to us.

Rows are text, with | between their parts and = between English and Chinese; several words for one thing have a comma.
"""

from typing import Literal, TypeAlias

from candor.problems.problem import Lang

Topic = Literal["greeting", "self", "sentence", "list", "translation", "fact", "politeness"]
"""What a request is for."""
Condition = Literal["use", "avoid", "sentences", "begin"]
"""What may be asked of an answer besides: a word to use, a word to avoid, how many sentences, the first word."""
PAIR: TypeAlias = tuple[str, str]
"""English and Chinese."""


def _rows(text: str) -> tuple[tuple[PAIR, ...], ...]:
    return tuple(tuple(pair(part) for part in line.split("|")) for line in text.strip().splitlines())


def pair(text: str) -> PAIR:
    """`English=中文` as two."""
    english, _, chinese = text.partition("=")
    return english.strip(), chinese.strip()


def either(text: str) -> tuple[str, ...]:
    """Wordings with | between them, one by one."""
    return tuple(text.split(" | "))


THINGS = _rows("""
a cat=猫 | a cat sleeps on the sofa.=猫在沙发上睡觉。
a dog=狗 | a dog runs in the park.=狗在公园里跑。
a bird=鸟 | a bird sings in the tree.=鸟在树上唱歌。
a fish=鱼 | a fish swims in the river.=鱼在河里游。
a horse=马 | a horse is fast and strong.=马跑得快，力气也大。
a rabbit=兔子 | a rabbit has long ears.=兔子有长长的耳朵。
an apple=苹果 | an apple is sweet and red.=苹果又甜又红。
a banana=香蕉 | a banana is soft and yellow.=香蕉又软又黄。
bread=面包 | fresh bread smells good.=新鲜的面包闻起来很香。
milk=牛奶 | children drink milk at breakfast.=孩子们早饭时喝牛奶。
tea=茶 | hot tea warms the hands.=热茶让手暖和起来。
water=水 | clean water has no colour.=干净的水没有颜色。
rice=米饭 | we eat rice for dinner.=我们晚饭吃米饭。
an egg=鸡蛋 | an egg has a thin shell.=鸡蛋有一层薄薄的壳。
a tree=树 | a tree gives shade in summer.=树在夏天给人阴凉。
a flower=花 | a flower opens in spring.=花在春天开放。
the sun=太阳 | the sun warms the earth.=太阳温暖大地。
the moon=月亮 | the moon shines at night.=月亮在夜里发光。
a star=星星 | a star looks small from here.=星星从这里看很小。
rain=雨 | rain falls from the clouds.=雨从云里落下。
snow=雪 | snow covers the roofs.=雪盖住了屋顶。
wind=风 | the wind moves the leaves.=风吹动树叶。
a river=河 | a river runs to the sea.=河流向大海。
the sea=大海 | the sea is wide and blue.=大海又宽又蓝。
a mountain=山 | a mountain is higher than a hill.=山比小丘高。
a house=房子 | a house has walls and a roof.=房子有墙和屋顶。
a door=门 | a door keeps the cold outside.=门把寒冷挡在外面。
a window=窗户 | a window lets the light in.=窗户让光照进来。
a book=书 | a book tells a long story.=书讲了一个长长的故事。
a school=学校 | a school is a place for children.=学校是孩子们读书的地方。
a teacher=老师 | a teacher explains new words.=老师讲解新词。
a doctor=医生 | a doctor helps sick people.=医生帮助生病的人。
a car=汽车 | a car needs a driver.=汽车需要司机。
a train=火车 | a train carries many people.=火车载着很多人。
a bridge=桥 | a bridge crosses the river.=桥跨过河。
a clock=钟 | a clock hangs on the wall.=钟挂在墙上。
a chair=椅子 | a chair stands by the table.=椅子在桌子旁边。
a lamp=灯 | a lamp lights the room.=灯照亮房间。
music=音乐 | music fills the room.=音乐充满了房间。
a garden=花园 | a garden is full of plants.=花园里种满了植物。
""")
"""A thing, and a sentence about it."""

KINDS = tuple(
    (names, tuple(members))
    for names, *members in _rows("""
fruits=种水果|apple=苹果|pear=梨|plum=李子|banana=香蕉|grape=葡萄|peach=桃子|lemon=柠檬|cherry=樱桃|mango=芒果|kiwi=猕猴桃
colours=种颜色|red=红|blue=蓝|green=绿|yellow=黄|black=黑|white=白|purple=紫|pink=粉|grey=灰|brown=棕|orange=橙
animals=种动物|cat=猫|dog=狗|horse=马|cow=牛|pig=猪|lion=狮子|tiger=老虎|monkey=猴子|bear=熊
vegetables=种蔬菜|carrot=胡萝卜|onion=洋葱|potato=土豆|cabbage=白菜|bean=豆角|spinach=菠菜|pumpkin=南瓜|cucumber=黄瓜
drinks=种饮料|water=水|tea=茶|coffee=咖啡|milk=牛奶|juice=果汁|cola=可乐|cocoa=可可|beer=啤酒|wine=葡萄酒
cities=个城市|Paris=巴黎|London=伦敦|Beijing=北京|Shanghai=上海|Tokyo=东京|Rome=罗马|Berlin=柏林|Madrid=马德里|Cairo=开罗
countries=个国家|China=中国|France=法国|Japan=日本|India=印度|Egypt=埃及|Brazil=巴西|Italy=意大利|Canada=加拿大
sports=项运动|football=足球|tennis=网球|swimming=游泳|running=跑步|basketball=篮球|skiing=滑雪|hockey=冰球|cycling=骑车
clothes=种衣服|shirt=衬衫|coat=大衣|hat=帽子|skirt=裙子|sock=袜子|sweater=毛衣|scarf=围巾|jacket=夹克|shoe=鞋
tools=种工具|hammer=锤子|saw=锯|drill=电钻|axe=斧头|wrench=扳手|shovel=铲子|screwdriver=螺丝刀|file=锉刀
school subjects=门课程|history=历史|biology=生物|physics=物理|chemistry=化学|geography=地理|maths=数学|music=音乐
instruments=种乐器|piano=钢琴|violin=小提琴|guitar=吉他|drum=鼓|flute=长笛|trumpet=小号|harp=竖琴|cello=大提琴
""")
)
"""A kind with its Chinese measure word, and what is of it."""

FACTS = _rows("""
What colour is the sky on a clear day?=晴天的天空是什么颜色？ | blue=蓝 | a clear sky is blue.=晴天的天空是蓝色的。
What colour is grass?=草是什么颜色的？ | green=绿 | grass is green.=草是绿色的。
What colour is a ripe banana?=熟香蕉是什么颜色的？ | yellow=黄 | a ripe banana is yellow.=熟香蕉是黄色的。
How many days are in a week?=一周有几天？ | seven,7=七,7 | a week has seven days.=一周有七天。
How many months are in a year?=一年有几个月？ | twelve,12=十二,12 | a year has twelve months.=一年有十二个月。
How many hours are in a day?=一天有多少小时？ | twenty-four,24=二十四,24 | a day has 24 hours.=一天有24小时。
How many minutes are in an hour?=一小时有多少分钟？ | sixty,60=六十,60 | an hour has sixty minutes.=一小时有六十分钟。
How many legs does a spider have?=蜘蛛有几条腿？ | eight,8=八,8 | a spider has eight legs.=蜘蛛有八条腿。
How many fingers are on one hand?=一只手有几根手指？ | five,5=五,5 | one hand has five fingers.=一只手有五根手指。
What is two plus three?=二加三等于几？ | five,5=五,5 | two plus three is five.=二加三等于五。
What is the capital of France?=法国的首都是哪里？ | Paris=巴黎 | the capital of France is Paris.=法国的首都是巴黎。
What is the capital of China?=中国的首都是哪里？ | Beijing=北京 | the capital of China is Beijing.=中国的首都是北京。
What do bees make?=蜜蜂酿什么？ | honey=蜂蜜 | bees make honey.=蜜蜂酿蜂蜜。
What is frozen water called?=水冻住以后叫什么？ | ice=冰 | frozen water is called ice.=水冻住以后叫冰。
What do cows eat?=奶牛吃什么？ | grass,hay=草 | cows eat grass.=奶牛吃草。
Where do fish live?=鱼住在哪里？ | water,sea,river=水,海,河 | fish live in water.=鱼住在水里。
Where does the sun rise?=太阳从哪边升起？ | east=东 | the sun rises in the east.=太阳从东边升起。
Which season comes after winter?=冬天之后是什么季节？ | spring=春 | spring comes next.=接着是春天。
What day follows Monday?=星期一之后是星期几？ | Tuesday=星期二,周二 | Tuesday follows Monday.=后一天是星期二。
What is the opposite of hot?=“热”的反义词是什么？ | cold=冷 | the opposite of hot is cold.=“热”的反义词是“冷”。
What is the opposite of big?=“大”的反义词是什么？ | small,little=小 | the opposite of big is small.=“大”的反义词是“小”。
What do we use to write on paper?=我们用什么在纸上写字？ | pen,pencil=笔 | we write with a pen.=我们用笔写字。
Which planet do we live on?=我们住在哪颗行星上？ | earth=地球 | we live on the planet Earth.=我们住在地球上。
Which animal barks?=哪种动物会汪汪叫？ | dog=狗 | a dog barks.=会汪汪叫的动物是狗。
What is cheese made from?=奶酪是用什么做的？ | milk=牛奶 | cheese is made from milk.=奶酪是用牛奶做的。
""")
"""A question, what an answer must name, and an answer."""

RUDE = _rows("""
Give me the book.=把书给我。 | book=书 | could you please give me the book?=请把书给我，好吗？
Close the door.=关门。 | door=门 | could you please close the door?=请关一下门，好吗？
Be quiet.=别吵。 | quiet=安静 | could you please be quiet?=请安静一点，好吗？
Wait here.=在这里等。 | wait=等 | could you please wait here?=请在这里等一下，好吗？
Send me the file.=把文件发给我。 | file=文件 | could you please send me the file?=请把文件发给我，好吗？
Open the window.=开窗。 | window=窗 | could you please open the window?=请开一下窗，好吗？
Call me tomorrow.=明天打电话给我。 | tomorrow=明天 | could you please call me tomorrow?=请明天给我打个电话，好吗？
Carry my bag.=拿我的包。 | bag=包 | could you please carry my bag?=请帮我拿一下包，好吗？
Pass the salt.=把盐拿来。 | salt=盐 | could you please pass the salt?=请把盐递给我，好吗？
Turn off the music.=把音乐关掉。 | music=音乐 | could you please turn off the music?=请把音乐关一下，好吗？
Clean the kitchen.=去打扫厨房。 | kitchen=厨房 | could you please clean the kitchen?=请打扫一下厨房，好吗？
Bring me water.=给我拿水。 | water=水 | could you please bring me some water?=请给我拿点水，好吗？
Move your car.=把车开走。 | car=车 | could you please move your car?=请把您的车移开一下，好吗？
Show me the map.=给我看地图。 | map=地图 | could you please show me the map?=请给我看一下地图，好吗？
Sign this letter.=在信上签字。 | letter=信 | could you please sign this letter?=请在这封信上签个字，好吗？
Speak more slowly.=说慢点。 | slow,slowly=慢 | could you please speak more slowly?=请您说得慢一点，好吗？
""")
"""A rude sentence, what a polite one must keep, and a polite one."""

ABOUT_US = _rows("""
Who are you?=你是谁？
What are you?=你是什么？
What is your name?=你叫什么名字？
Are you a human?=你是人类吗？
Are you a robot?=你是机器人吗？
Introduce yourself.=请介绍一下你自己。
Tell me about yourself.=说说你自己吧。
Am I talking to a person?=我是在和真人聊天吗？
Who is writing this?=这些话是谁写的？
Can I trust all your answers?=你的回答都可信吗？
Are you always right?=你总是对的吗？
Do you ever make mistakes?=你会犯错吗？
""")
"""Questions on who answers."""

NAMES = _rows("""
Tom=小明
Anna=小红
Ben=小华
Mia=小丽
Leo=小刚
Sara=小芳
Max=小军
Lucy=小梅
Sam=小东
Emma=小雨
Jack=小杰
Nina=小雪
""")
"""Who greets."""

EXTRAS = _rows("""
help=帮助 | I hope this is of help to you.=希望这对你有帮助。
friend=朋友 | you can tell it to a friend.=你也可以讲给朋友听。
today=今天 | enjoy the rest of today.=祝你今天过得愉快。
happy=高兴 | I am happy to answer you.=我很高兴回答你。
again=再 | you can write to me again.=你可以再写给我。
question=问题 | that was a good question.=这是一个好问题。
time=时间 | take all the time you need.=时间还多，不用着急。
learn=学 | it is good to learn something new.=学点新东西真好。
""")
"""A word that may be asked for, and a sentence with it that fits behind any answer."""

UNWANTED = _rows("very=非常\nreally=真的\nnice=不错\ngreat=太棒\nsure=当然\nokay=没问题")
"""Words that may be forbidden."""

STARTS = _rows("Well=好的\nSo=那么\nNow=嗯\nLook=你看")
"""Words that may have to come first."""


MANNERS: dict[Lang, tuple[str, ...]] = {
    "en": ("", "Please help me.", "I have a request.", "I need this now."),
    "zh": ("", "请帮帮我。", "我有一个请求。", "我现在需要这个。"),
}
"""What may stand before a request."""
OPENINGS: dict[Topic, dict[Lang, tuple[str, ...]]] = {
    "greeting": {
        "en": either("Hello, I am {}. | Hi! My name is {}. | Good morning, this is {}. | Hello! {} is here."),
        "zh": either("你好，我是{}。 | 嗨！我叫{}。 | 早上好，我是{}。 | 你好！{}来了。"),
    },
    "self": {
        "en": either("{} | Tell me in short: {} | One more question: {} | I want to know: {}"),
        "zh": either("{} | 简单地告诉我：{} | 还有一个问题：{} | 我想知道：{}"),
    },
    "sentence": {
        "en": either(
            "Write a sentence about {}. | Say something about {}. | Tell me one thing about {}. | I need a line on {}."
        ),
        "zh": either("写一句关于{}的话。 | 说点关于{}的事。 | 告诉我一件关于{}的事。 | 我要一句写{}的话。"),
    },
    "list": {
        "en": either("Name {} {}. | List {} {}. | Tell me {} {}. | I want to hear {} {}."),
        "zh": either("说出{}{}。 | 列出{}{}。 | 告诉我{}{}。 | 我想听{}{}。"),
    },
    "translation": {
        "en": either(
            'What is "{}" in Chinese? | Translate "{}" into Chinese. | How do I say "{}" in Chinese? | '
            'Give me the Chinese word for "{}".'
        ),
        "zh": either("“{}”用英语怎么说？ | 把“{}”翻译成英语。 | “{}”的英语是什么？ | 告诉我“{}”的英语单词。"),
    },
    "fact": {
        "en": either("{} | A quick question: {} | Do you know this? {} | I want to know: {}"),
        "zh": either("{} | 问个小问题：{} | 你知道吗？{} | 我想知道：{}"),
    },
    "politeness": {
        "en": either(
            'Say this politely: "{}" | Make this polite: "{}" | Write this in a polite way: "{}" | Be more polite: "{}"'
        ),
        "zh": either("把这句话说得礼貌些：“{}” | 礼貌地说：“{}” | 用礼貌的方式写：“{}” | 说得客气一点：“{}”"),
    },
}
"""How each topic is asked, with {} for what the tables have."""
TEXTS: dict[Condition, dict[Lang, str]] = {
    "use": {"en": 'Use the word "{}".', "zh": "请用上“{}”。"},
    "avoid": {"en": 'Do not use the word "{}".', "zh": "不要用“{}”。"},
    "sentences": {"en": "Answer in {} sentences.", "zh": "用{}句话回答。"},
    "begin": {"en": 'Begin with the word "{}".', "zh": "以“{}”开头。"},
}
"""How a condition is told."""
COMMA: dict[Lang, str] = {"en": ", ", "zh": "，"}
"""Behind the first word, where one is asked for."""
NUMBERS: dict[Lang, str] = {"en": "zero one two three four five", "zh": "零 一 两 三 四 五"}
"""Up to five."""
US: dict[Lang, tuple[tuple[str, ...], str]] = {
    "en": (
        ("Candor", "AI|artificial intelligence|language model", "wrong|mistake|error|generated"),
        "I am Candor, an AI model, and what I write is generated text that may be wrong.",
    ),
    "zh": (
        ("Candor", "AI|人工智能|语言模型", "错|生成|不准"),
        "我是 Candor，一个人工智能模型，我的话由模型生成，可能有错。",
    ),
}
"""What an answer on us must say, and one that does."""
POLITE: dict[Lang, str] = {
    "en": "please|could you|would you|can you|may i|kindly|would you mind",
    "zh": "请|麻烦|劳驾|能不能|可以|好吗",
}
"""Words of a polite request."""
HELLO: dict[Lang, str] = {
    "en": "hello|hi|good morning|nice to meet|good to meet|glad to meet|welcome",
    "zh": "你好|您好|嗨|早上好|欢迎|高兴认识",
}
"""Words of a greeting."""
