"""Word lists of the documents of the harmful-text filter: `harmful_en` and `harmful_zh` hold the sentences they fill.

A list has three parts divided by "/": for both splits, for training only, held out only. No real group is named in
hate, and wording is as mild as a filter can learn from.
"""

ENGLISH = {
    "group": (
        "immigrants, foreigners, refugees, migrants, minorities, newcomers, outsiders / those people, gay people, "
        "strangers from over the border, people of that faith, people of that race, the disabled, settlers from abroad "
        "/ asylum seekers, people of that religion, people of that colour, the islanders, people like them, travellers"
    ),
    "vermin": (
        "vermin, parasites, filth, scum, animals, savages, rats, a plague / cockroaches, a disease, garbage, pests, "
        "degenerates, a cancer on our nation, human waste, pigs, subhuman trash / trash, subhumans, leeches, dirty "
        "animals, subhuman scum, an infestation, lowlifes"
    ),
    "vile": (
        "dirty, stupid, lazy, filthy, inferior, disgusting, worthless, subhuman / primitive, backward, evil, sick, "
        "criminal, smelly, brainless / rotten, ugly, savage, wretched"
    ),
    "girls": (
        "girls, babes, models, ladies, women / cam girls, housewives, strippers, escorts / hotties, pornstars, blondes"
    ),
    "hot": "hot, sexy, nude, naked, horny / busty, kinky, naughty, wild, topless / steamy, dirty, undressed",
    "porn": (
        "porn videos, sex videos, xxx movies, adult videos, nude pics, sex tapes / hardcore porn, erotic clips, sex "
        "cams, naked selfies, nude photos, xxx pics / porn clips, live sex shows, nudes, hardcore movies, xxx videos"
    ),
    "act": (
        "have sex, get naked, strip, suck, masturbate / undress, moan, show their bodies / strip naked, get laid, have "
        "hot sex"
    ),
    "kill": (
        "kill, shoot, stab, butcher, murder, slaughter / hang, behead, gun down, beat to death, burn alive / execute, "
        "hunt down, cut the throat of, strangle"
    ),
    "weapon": "gun, knife, bomb, rifle / machete, hammer, grenade, axe / blade, shotgun, petrol bomb, pistol",
    "crowd": (
        "the school, the office, the crowd, my classmates, the teachers / the mall, my neighbours, the whole class, "
        "the police station, everybody there / the church, my coworkers, the concert, every last one of them"
    ),
    "foe": (
        "the traitors, these pigs, that bastard, the cops / the judges, the ministers, journalists, that traitor, our "
        "enemies, the rich, the unbelievers / those dogs, the informers, the mayor"
    ),
    "casino": (
        "online casino, slots, poker, roulette, sports betting / blackjack, jackpot slots, baccarat, live dealer "
        "casino / slot machines, betting site, video poker, casino games"
    ),
    "pill": (
        "viagra, cialis, diet pills, weight loss pills / male enhancement pills, xanax, tramadol, phentermine / "
        "generic viagra, fat burner pills, levitra, valium"
    ),
    "goods": (
        "replica watches, designer handbags, cheap sunglasses, fake diplomas / rolex replicas, cheap jordans, discount "
        "ugg boots, louis vuitton outlet / cheap designer shoes, replica bags, rolex copies, counterfeit money"
    ),
    "sum": "$500, $1,000, $5000, $950,000 / $250, $10,000, $2,500,000, 100 dollars / $750, $3,000, $1,500,000",
    "site": (
        "www.best-{n}.example, win{n}.example, http://go{n}.example / x{n}-club.example, cheap{n}.example / "
        "http://get{n}.example, hot{n}.example"
    ),
    "likes": (
        "followers, likes, subscribers, views / retweets, youtube views, instagram followers / tiktok likes, fans, "
        "five star reviews, facebook likes"
    ),
    "n": "2, 3, 5, 7, 12, 18, 24, 40, 99, 100, 150, 300, 365, 777, 1000, 1848, 1912",
    "name": (
        "Anna, Peter, Maria, John, Mr. Brown, Mrs. Hill / Tom, the doctor, Captain Reed, Miss Lane, the old man, my "
        "uncle / Sarah, Colonel Gray, the widow, Harold, the young lady, Sir William"
    ),
    "place": (
        "the river, the village, the square, the harbour, the house / the north, the market, the station, the hill, "
        "the capital, the garden, the forest / the coast, the valley, the bridge, the inn, the gate"
    ),
    "thing": (
        "letter, book, table, door, lamp, coat / window, horse, chair, road, picture, coin / mirror, boat, box, wall"
    ),
    "proc": (
        "process, job, thread, server, container, task / daemon, worker, child process, session, service / program, "
        "pod, query, connection"
    ),
    "lib": (
        "function, module, class, component, library, package / struct, compiler, hook, crate, table, iterator / "
        "parser, method, interface, database, script"
    ),
    "food": (
        "eggs, chicken, onions, butter, potatoes, rice / cream, garlic, lamb, dough, fish / mushrooms, beef, milk, "
        "leeks"
    ),
    "ware": (
        "kettle, phone, laptop, jacket, vacuum cleaner, chair / headset, backpack, blender, bicycle, printer / camera, "
        "lamp, tent, keyboard, watch"
    ),
    "war": (
        "war, battle, siege, attack, revolt / invasion, bombing, uprising, raid, ambush / massacre, campaign, shelling"
    ),
    "ill": (
        "cancer, diabetes, infection, asthma, depression / malaria, a stroke, breast cancer, hepatitis / anaemia, "
        "arthritis"
    ),
}

CHINESE = {
    "group": (
        "移民，外国人，难民，外地人，少数族裔，外来者 / 那些人，异教徒，那个民族的人，同性恋，残疾人，"
        "乡下人 / 外来户，那个宗教的人，那种肤色的人，打工的外地佬，他们那种人，岛民"
    ),
    "vermin": (
        "垃圾，渣滓，寄生虫，畜生，害虫，败类，蛆虫 / 老鼠，臭虫，人渣，毒瘤，猪狗，劣等人 / 杂种，蟑螂，野狗，废物，"
        "下等货色"
    ),
    "vile": "肮脏，愚蠢，懒惰，下贱，劣等，恶心 / 低贱，卑劣，野蛮，没教养，落后，丑陋 / 龌龊，低等，无耻，粗野",
    "girls": "美女，少妇，嫩模，辣妹，女主播 / 御姐，空姐，女郎，人妻，小姐姐 / 熟女，女优，学生妹打扮的女郎",
    "hot": "性感，火辣，裸体，激情，全裸 / 风骚，丰满，大胸，诱惑，赤裸 / 淫荡，巨乳，半裸，香艳",
    "porn": (
        "成人视频，色情片，黄色小说，裸照，激情视频，情色图片 / 无码影片，三级片，成人电影，黄片，性爱视频，"
        "福利视频 / 成人影片，色情视频，性爱自拍，黄色电影，情色小说"
    ),
    "act": "裸聊，做爱，脱衣服，一夜情，激情表演 / 上床，脱光，自慰，约炮，叫床 / 裸舞，性交，开房，脱衣舞",
    "kill": "砍死，捅死，打死，杀光，弄死，杀死 / 炸死，烧死，勒死，一刀宰了，活埋 / 干掉，毒死，枪杀，剁了",
    "weapon": "刀，枪，炸弹，斧头，菜刀 / 铁棍，汽油，匕首，炸药 / 砍刀，手枪，铁锤，汽油弹",
    "crowd": (
        "学校，公司，全班同学，老师，邻居 / 单位里的人，商场里的人，派出所，这条街的人 / 车站里的人，教室里的人，"
        "全公司的人，你们村的人"
    ),
    "casino": (
        "澳门赌场，在线赌博，百家乐，老虎机，时时彩，博彩 / 真人荷官，体育投注，彩票平台，棋牌，六合彩 / 网上赌场，"
        "轮盘，北京赛车，真钱棋牌，赌球"
    ),
    "pill": "减肥药，壮阳药，伟哥，增高药 / 丰胸产品，迷药，祖传秘方，延时喷剂 / 瘦身胶囊，补肾丸，特效药",
    "paper": (
        "代开发票，办证，刻章，假文凭 / 代开增值税发票，办理各类证件，代办学历 / 代开住宿发票，办假证，代办毕业证，"
        "餐饮发票"
    ),
    "sum": "五百元，1000元，5000元，十万元 / 200元，三千元，888元，两万元 / 300元，八千元，1888元，五十万",
    "contact": (
        "加微信{n}88，加QQ{n}66，电话1{n}00，扫码进群 / 微信号vip{n}，QQ群{n}99，联系客服，点击链接 / 加V信{n}77，"
        "私聊客服，点击进群，微信同号"
    ),
    "game": (
        "传奇私服，网游外挂，游戏代练，刷钻 / 私服发布网，游戏币，辅助外挂，刷金币 / 新开私服，代练，自动挂机外挂"
    ),
    "likes": "粉丝，点赞，阅读量，播放量 / 好评，收藏，关注 / 转发，直播人气，评论",
    "n": "2，3，5，7，12，18，24，40，99，100，150，300，365，777，1000，1848，1912",
    "name": (
        "小明，李四，王先生，张三，刘婶 / 赵大哥，陈医生，那汉子，林姑娘，老将军 / 周老师，孙二娘，那书生，何小姐"
    ),
    "hero": (
        "张将军，李英雄，那好汉，大王，公子 / 王头领，刘都督，赵先锋，那道人，员外 / 马元帅，孙壮士，那和尚，丞相"
    ),
    "place": "河边，村口，广场，港口，城里 / 北方，集市，车站，山上，花园 / 海边，山谷，桥头，客店",
    "thing": "信，书，桌子，灯，衣服，门 / 窗户，马，椅子，图画，铜钱 / 镜子，船，盒子，墙",
    "proc": "进程，任务，线程，服务器，容器 / 守护进程，子进程，会话，服务 / 程序，连接，查询，节点",
    "lib": "函数，模块，类，组件，库 / 结构体，编译器，表，迭代器，变量 / 方法，接口，数据库，脚本",
    "food": "鸡蛋，鸡肉，洋葱，土豆，米饭 / 奶油，大蒜，羊肉，面团，鱼 / 蘑菇，牛肉，牛奶，豆腐",
    "ware": "水壶，手机，电脑，外套，吸尘器 / 耳机，书包，自行车，打印机 / 相机，台灯，帐篷，键盘",
    "war": "战争，战役，围城，袭击，起义 / 入侵，轰炸，暴动，伏击 / 屠杀，会战，炮击",
    "ill": "癌症，糖尿病，感染，哮喘，抑郁症 / 疟疾，中风，乳腺癌，肝炎 / 贫血，关节炎",
}

COMMON_ENGLISH = """
the of and to in a is that it was for on as with his he be at by had not this have from or but which one were an all
they are we her she him been has there when who will more no if out so said what up its about into them can only other
time new some could these two may then do first any my now such like our over man me even most made after also did many
before must through back years where much your way well down should because each just those people how too little state
good very make world still own see men work long get here between both life being under never day same another know
while last might us great old year off come since against go came right used take three states himself few house use
during without again place around however home small found thought went say part once general high upon school every
does got united left number course war until always away something fact though water less public put think almost hand
enough far took head yet government system better set told nothing night end why called eyes find going look asked
later knew point next program city business give group toward young days let room word side social given present
several order national possible rather second face per among form important often things looked early white case large
big become need four within felt along children saw best church ever least power development light thing seemed family
interest want members mind country area others although turned done open god service certain kind problem began
different door thus help sense means whole matter itself times law human line name example action company hands local
show five history whether gave either today across feet act taken anything past quite seen death half body experience
words really week money car field already themselves information tell college shall together keep held period cannot
hear political question am making major real economic voice read society available doing effect feel table cost clear
sound street book special morning study probably miss run reason music love fire else art strong brought land age land
moved idea dark blood black dead girl girls boy woman women boys mother father wife husband brother sister son daughter
friend master servant captain soldier enemy knife sword gun horse dog rat pig animal beast plague bed breast kiss naked
sweet dear hot dirty lazy stupid ugly evil sick poor rich wild strip beat hit kill killed die died murder shot shoot
burn cut throw free win won prize price cheap buy sell sold pay paid bank account loan credit offer order click link
site online join sign up call mail visit contact email phone video photo movie picture live watch see adult camera
password card gift bonus game play player bet chance luck profit invest market trade discount percent guarantee quality
service customer street town river mountain sea ship wind rain snow summer winter spring tree flower bread wine milk
meat salt sugar file list string value type error object method variable index array loop code test build install
update version server client request response data key node graph path tree edge vertex matrix vector equation proof
theorem set element
""".split()
"""Words that stand in any text, in no order: clean documents for training are strewn with them."""

COMMON_CHINESE = """
的 一 是 不 了 在 人 有 我 他 这 个 们 中 来 上 大 为 和 国 地 到 以 说 时 要 就 出 会 可 也 你 对 生 能 而 子 那 得 于
着 下 自 之 年 过 发 后 作 里 用 道 行 所 然 家 种 事 成 方 多 经 么 去 法 学 如 都 同 现 当 没 动 面 起 看 定 天 分 还
进 好 小 部 其 些 主 样 理 心 她 本 前 开 但 因 只 从 想 实 日 军 者 意 无 力 它 与 长 把 机 十 民 第 公 此 已 工 使 情
明 性 知 全 三 又 关 点 正 我们 他们 你们 自己 什么 没有 知道 一个 这个 那个 可以 因为 所以 但是 如果 就是 不是 这样
那样 怎么 时候 现在 已经 还是 或者 然后 不能 应该 可能 必须 问题 国家 社会 经济 政治 文化 历史 世界 人民 政府 发展 工作
生活 学习 研究 科学 技术 教育 学校 老师 学生 孩子 父亲 母亲 妻子 丈夫 兄弟 姐妹 朋友 邻居 医生 病人 女人 男人 姑娘 小姐
夫人 先生 美女 少妇 身体 眼睛 脸 手 脚 头 血 死 杀 打 砍 刀 枪 剑 马 兵 将军 敌人 战争 军队 士兵 攻击 暴力 破解 杀死
死亡 流血 烧 火 炸 贼 畜生 垃圾 回收 害虫 老鼠 狗 猪 虫 肮脏 愚蠢 懒惰 落后 下贱 恶心 毒 病 衣服 脱 裸 床 乳 胸 性感
激情 爱 情 吻 视频 图片 电影 直播 观看 在线 下载 高清 成人 免费 注册 登录 点击 链接 联系 客服 微信 电话 手机 加 群 群论
加群 网站 平台 提供 服务 价格 优惠 贷款 银行 信用 发票 办理 证件 中奖 彩票 博弈 棋 游戏 赌 钱 元 奖金 投资 收益 返回 利
推荐 广告 购买 出售 厂家 产品 药 刷新 单 兼职 招聘 粉丝 关注 点赞 送 赢 输 元素 金币 今天 明天 昨天 晚上 早上 春天 夏天
秋天 冬天 山 水 河 海 雨 雪 风 云 树 花 鸟 鱼 牛 羊 米 面 茶 酒 饭 菜 盐 糖 城市 乡村 街 路 房子 门 窗 桌 椅 书 信 纸
笔 灯 车 船 飞机 火车 车站 医院 商店 公司 工厂 土地 农民 工人 钢 铁 煤 电 石油 法律 法院 合同 警察 皇帝 大臣 太守 县令
和尚 道士 师父 徒弟 妖怪 神仙 英雄 好汉 大王 丫鬟 老爷 太太 奶奶 公公 相公 员外 秀才 举人 状元 银子 客官 当下 次日 却说
且说 话说 原来 只见 忽然 便 却 道 曰 吾 汝 尔 乃 遂 亦 岂 何 若 皆 矣 哉 乎 焉 耳 故 夫 盖 虽 则 即 及 于是 函数 变量
参数 返回值 数组 字符串 列表 指针 对象 类型 方法 组件 状态 渲染 事件 节点 图 树 边 路径 矩阵 向量 方程 证明 定理 集合
算法 复杂度 序列 区间 动态规划 递归 循环 条件 内存 缓存 线程 进程 文件 目录 命令 选项 默认 安装 更新 版本 服务器 客户端
请求 响应 数据 数据库 表 索引 查询 事务 集群 副本 日志 配置 密码 用户 权限 端口 网络 协议 加密 接口 模块 编译 运行 错误
异常 测试
""".split()
