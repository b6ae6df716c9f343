"""The words that the demo company is made of: names, trades, cities, and what people ask."""

# --- Names -----------------------------------------------------------------------------------

# A number after the reading is how often the name is put into the hat.
KO_FAMILIES = (
    "김:Kim:21 이:Lee:15 박:Park:8 최:Choi:5 정:Jung:5 강:Kang:2 조:Cho:2 윤:Yoon:2 "
    "장:Jang:2 임:Lim:2 한:Han:2 오:Oh:2 서:Seo:2 신:Shin:2 권:Kwon:2 황:Hwang:2 안:Ahn:2 "
    "송:Song:2 류:Ryu:2 전:Jeon:2 홍:Hong:2 고:Ko 문:Moon 양:Yang 손:Son 배:Bae 백:Baek "
    "허:Heo 유:Yoo 남:Nam 심:Shim 노:Noh 하:Ha 곽:Kwak 성:Sung 차:Cha 주:Joo 우:Woo 구:Koo "
    "민:Min 진:Jin 나:Na 지:Ji 엄:Um 원:Won 천:Chun 방:Bang 공:Kong 현:Hyun 함:Ham 변:Byun "
    "염:Yeom 여:Yeo 추:Chu 도:Do 소:So 석:Seok 선:Sun 설:Seol 마:Ma 길:Gil"
)
KO_MEN = (
    "민:Min 지:Ji 준:Jun 서:Seo 도:Do 현:Hyun 우:Woo 시:Si 승:Seung 재:Jae 성:Sung 동:Dong "
    "태:Tae 정:Jung 영:Young 상:Sang 건:Gun 은:Eun 종:Jong 기:Ki",
    "준:jun 우:woo 호:ho 현:hyun 민:min 진:jin 훈:hoon 석:seok 환:hwan 혁:hyuk 수:soo "
    "욱:wook 철:chul 규:kyu 빈:bin 원:won 율:yul 찬:chan 식:sik 섭:seop",
)
KO_WOMEN = (
    "서:Seo 지:Ji 민:Min 수:Su 하:Ha 은:Eun 예:Ye 유:Yu 다:Da 채:Chae 나:Na 소:So 혜:Hye "
    "미:Mi 가:Ga 보:Bo 윤:Yoon 정:Jung 영:Young 현:Hyun",
    "연:yeon 영:young 은:eun 아:ah 윤:yoon 린:rin 원:won 희:hee 진:jin 현:hyun 인:in 나:na "
    "경:kyung 빈:bin 주:ju 정:jung 숙:sook 미:mi 선:sun 솔:sol",
)
JA_FAMILIES = (
    "佐藤:さとう:4 鈴木:すずき:4 高橋:たかはし:3 田中:たなか:3 伊藤:いとう:3 渡辺:わたなべ:3 "
    "山本:やまもと:3 中村:なかむら:3 小林:こばやし:3 加藤:かとう:3 吉田:よしだ:2 "
    "山田:やまだ:2 佐々木:ささき:2 山口:やまぐち:2 松本:まつもと:2 井上:いのうえ:2 "
    "木村:きむら:2 林:はやし:2 斎藤:さいとう:2 清水:しみず:2 山崎:やまざき 森:もり "
    "池田:いけだ 橋本:はしもと 阿部:あべ 石川:いしかわ 山下:やました 中島:なかじま "
    "石井:いしい 小川:おがわ 前田:まえだ 岡田:おかだ 長谷川:はせがわ 藤田:ふじた 後藤:ごとう "
    "近藤:こんどう 村上:むらかみ 遠藤:えんどう 青木:あおき 坂本:さかもと 福田:ふくだ "
    "太田:おおた 西村:にしむら 藤井:ふじい 金子:かねこ 岡本:おかもと 藤原:ふじわら "
    "中野:なかの 三浦:みうら 原田:はらだ 中川:なかがわ 松田:まつだ 竹内:たけうち 小野:おの "
    "田村:たむら 中山:なかやま 和田:わだ 石田:いしだ 森田:もりた 上田:うえだ 原:はら "
    "内田:うちだ 柴田:しばた 酒井:さかい 宮崎:みやざき 横山:よこやま 高木:たかぎ "
    "安藤:あんどう 宮本:みやもと 大野:おおの 小島:こじま 工藤:くどう 谷口:たにぐち "
    "今井:いまい 高田:たかだ 丸山:まるやま 増田:ますだ 杉山:すぎやま 村田:むらた "
    "大塚:おおつか 新井:あらい 小山:こやま 平野:ひらの 藤本:ふじもと 河野:こうの 上野:うえの "
    "野口:のぐち 武田:たけだ 松井:まつい 千葉:ちば 菅原:すがわら 岩崎:いわさき 久保:くぼ "
    "木下:きのした 佐野:さの 野村:のむら 松尾:まつお 菊地:きくち 市川:いちかわ 渡邉:わたなべ "
    "髙木:たかぎ"
)
JA_GIVENS = (
    "太郎:たろう 健太:けんた 翔太:しょうた 大輔:だいすけ 拓也:たくや 健一:けんいち "
    "直樹:なおき 翼:つばさ 浩:ひろし 誠:まこと 隆:たかし 学:まなぶ 亮:りょう 蓮:れん "
    "悠斗:ゆうと 陽翔:はると 大翔:ひろと 湊:みなと 樹:いつき 蒼:あおい 颯太:そうた 陸:りく "
    "海斗:かいと 悠真:ゆうま 朝陽:あさひ 和也:かずや 達也:たつや 雄太:ゆうた 裕介:ゆうすけ "
    "慎一:しんいち 秀樹:ひでき 正樹:まさき 剛:つよし 哲也:てつや 修:おさむ 勇気:ゆうき "
    "光:ひかる 駿:しゅん 圭介:けいすけ 俊介:しゅんすけ 康平:こうへい 祐樹:ゆうき 智也:ともや "
    "涼介:りょうすけ 龍之介:りゅうのすけ 一郎:いちろう 次郎:じろう 清:きよし 実:みのる "
    "進:すすむ 花子:はなこ 美咲:みさき さくら:さくら 葵:あおい 陽菜:ひな 結衣:ゆい 凛:りん "
    "莉子:りこ 美優:みゆ 七海:ななみ 愛:あい 彩:あや 千尋:ちひろ 真由美:まゆみ 由美子:ゆみこ "
    "恵子:けいこ 久美子:くみこ 直美:なおみ 智子:ともこ 裕子:ゆうこ 香織:かおり 麻衣:まい "
    "舞:まい 瞳:ひとみ 優子:ゆうこ 恵美:えみ 奈々:なな 琴音:ことね 紬:つむぎ 芽依:めい "
    "咲良:さくら 桃花:ももか 心春:こはる 杏:あん 楓:かえで 明日香:あすか 沙織:さおり "
    "里奈:りな 真央:まお 遥:はるか 美穂:みほ 和子:かずこ 幸子:さちこ 洋子:ようこ "
    "京子:きょうこ 節子:せつこ 千代:ちよ アンナ:あんな エリカ:えりか まりな:まりな "
    "みどり:みどり ひかり:ひかり"
)
ZH_FAMILIES = (
    "王:Wang:7 李:Li:7 张:Zhang:7 刘:Liu:5 陈:Chen:5 杨:Yang:4 赵:Zhao:3 黄:Huang:3 "
    "周:Zhou:3 吴:Wu:3 徐:Xu:2 孙:Sun:2 胡:Hu:2 朱:Zhu:2 高:Gao:2 林:Lin:2 何:He:2 郭:Guo:2 "
    "马:Ma:2 罗:Luo:2 梁:Liang 宋:Song 郑:Zheng 谢:Xie 韩:Han 唐:Tang 冯:Feng 于:Yu 董:Dong "
    "萧:Xiao 程:Cheng 曹:Cao 袁:Yuan 邓:Deng 许:Xu 傅:Fu 沈:Shen 曾:Zeng 彭:Peng 吕:Lyu "
    "苏:Su 卢:Lu 蒋:Jiang 蔡:Cai 贾:Jia 丁:Ding 魏:Wei 薛:Xue 叶:Ye 阎:Yan 余:Yu 潘:Pan "
    "杜:Du 戴:Dai 夏:Xia 钟:Zhong 汪:Wang 田:Tian 任:Ren 姜:Jiang 范:Fan 方:Fang 石:Shi "
    "姚:Yao 谭:Tan 廖:Liao 邹:Zou 熊:Xiong 金:Jin 陆:Lu 郝:Hao 孔:Kong 白:Bai 崔:Cui 康:Kang "
    "毛:Mao 邱:Qiu 秦:Qin 江:Jiang 史:Shi 顾:Gu 侯:Hou 邵:Shao 孟:Meng 龙:Long 万:Wan "
    "段:Duan 雷:Lei 钱:Qian 汤:Tang 尹:Yin 黎:Li 易:Yi 常:Chang 武:Wu 乔:Qiao 贺:He 赖:Lai "
    "龚:Gong 文:Wen 单:Shan 解:Xie 仇:Qiu 查:Zha 欧阳:Ouyang 上官:Shangguan 司马:Sima "
    "诸葛:Zhuge"
)
ZH_GIVENS = (
    "伟:wei 强:qiang 磊:lei 军:jun 洋:yang 勇:yong 杰:jie 涛:tao 明:ming 超:chao 建:jian "
    "华:hua 文:wen 国:guo 平:ping 志:zhi 浩:hao 宇:yu 晨:chen 鹏:peng 飞:fei 博:bo 思:si "
    "子:zi 俊:jun 泽:ze 天:tian 嘉:jia 瑞:rui 宏:hong 晓:xiao 小:xiao 海:hai 春:chun 秋:qiu "
    "云:yun 雨:yu 雪:xue 丽:li 娜:na 静:jing 敏:min 秀:xiu 芳:fang 娟:juan 霞:xia 燕:yan "
    "婷:ting 玲:ling 慧:hui 颖:ying 琳:lin 欣:xin 怡:yi 佳:jia 梦:meng 诗:shi 涵:han 萱:xuan "
    "梓:zi 轩:xuan 睿:rui 航:hang 毅:yi 峰:feng 东:dong 林:lin 玉:yu 兰:lan"
)
EN_FAMILIES = (
    "Smith:3 Johnson:3 Williams:2 Brown:2 Jones:2 Garcia:2 Miller:2 Davis:2 Rodriguez "
    "Martinez Hernandez Lopez Gonzalez Wilson Anderson Thomas Taylor Moore Jackson Martin "
    "Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young Allen "
    "King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera "
    "Campbell Mitchell Carter Roberts Gomez Phillips Evans Turner Diaz Parker Cruz Edwards "
    "Collins Reyes Stewart Morris Morales Murphy Cook Rogers Gutierrez Ortiz Morgan Cooper "
    "Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson Watson Brooks Chavez "
    "Wood Bennett Gray Mendoza Ruiz Hughes Price Alvarez Castillo Sanders Patel Myers Long "
    "Ross Foster Sullivan Fitzgerald Singh Khan O'Brien McDonald Schultz Weber Müller "
    "Sørensen Nowak Petrov Rossi Dubois Larsen Novak Silva Costa Andersson"
)
EN_GIVENS = (
    "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara "
    "Richard Susan Joseph Jessica Thomas Sarah Charles Karen Christopher Lisa Daniel Nancy "
    "Matthew Betty Anthony Margaret Mark Sandra Donald Ashley Steven Kimberly Paul Emily "
    "Andrew Donna Joshua Michelle Kenneth Carol Kevin Amanda Brian Dorothy George Melissa "
    "Timothy Deborah Ronald Stephanie Edward Rebecca Jason Sharon Jeffrey Laura Ryan Cynthia "
    "Jacob Kathleen Gary Amy Nicholas Angela Eric Shirley Jonathan Anna Stephen Brenda Larry "
    "Pamela Justin Emma Scott Nicole Brandon Helen Benjamin Samantha Samuel Katherine "
    "Gregory Christine Alexander Rachel Patrick Carolyn Frank Janet Raymond Maria Jack "
    "Olivia Dennis Heather Jerry Diane Tyler Julie Aaron Joyce Jose Victoria Adam Ruth "
    "Nathan Sophia Henry Grace Zachary Chloe Peter Zoe Kyle Hannah Noah Ava Ethan Mia Liam "
    "Nora Mason Iris Logan Ella Lucas Ruby Oscar Freya Hugo Ingrid Mateo Lucia Omar Layla "
    "Ravi Priya Arjun Meera Jean-Luc Mary-Anne"
)

# --- Companies -------------------------------------------------------------------------------

# Industry, then the word for it in Korean, Japanese, Chinese and English company names.
TRADES = (
    "manufacturing 정밀:jeongmil 製作所:せいさくしょ 制造:zhizao Manufacturing",
    "electronics 전자:jeonja 電機:でんき 电子:dianzi Electronics",
    "retail 유통:yutong 商店:しょうてん 商贸:shangmao Stores",
    "logistics 물류:mullyu 物流:ぶつりゅう 物流:wuliu Logistics",
    "construction 건설:geonseol 建設:けんせつ 建筑:jianzhu Builders",
    "food 식품:sikpum 食品:しょくひん 食品:shipin Foods",
    "healthcare 메디칼:medical 医療器:いりょうき 医疗:yiliao Health",
    "education 교육:gyoyuk 教育:きょういく 教育:jiaoyu Learning",
    "finance 캐피탈:capital リース:りーす 金融:jinrong Capital",
    "software 소프트:soft システム:しすてむ 软件:ruanjian Software",
    "trade 상사:sangsa 商事:しょうじ 贸易:maoyi Trading",
    "hospitality 관광:gwangwang 観光:かんこう 酒店:jiudian Hotels",
    "energy 에너지:energy エネルギー:えねるぎー 能源:nengyuan Energy",
    "textiles 섬유:seomyu 繊維:せんい 纺织:fangzhi Textiles",
    "chemicals 화학:hwahak 化学:かがく 化工:huagong Chemicals",
    "printing 인쇄:inswae 印刷:いんさつ 印刷:yinshua Printing",
)
KO_BRANDS = (
    "한:Han 대:Dae 동:Dong 세:Se 우:Woo 신:Shin 태:Tae 진:Jin 영:Young 광:Kwang 미:Mi "
    "서:Seo 남:Nam 금:Geum 청:Cheong 백:Baek 해:Hae 새:Sae 가:Ga 다:Da",
    "성:seong 진:jin 영:young 원:won 양:yang 일:il 광:kwang 신:shin 화:hwa 림:rim 솔:sol "
    "누리:nuri 산:san 보:bo 명:myeong 강:gang 도:do 호:ho 인:in 창:chang",
)
# Combinations that every Korean knows as a company.
KO_FAMOUS = "한화 한진 한솔 동원 동양 대성 대림 태광 남양 동화 금호 금강 대신 대명 신도"
JA_BRANDS = (
    "青葉:あおば 若葉:わかば 日の出:ひので 山手:やまて 北斗:ほくと 桜川:さくらがわ "
    "松風:まつかぜ 白鷺:しらさぎ 千鳥:ちどり 若松:わかまつ 東雲:しののめ 緑丘:みどりがおか "
    "三河:みかわ 海風:うみかぜ 月見:つきみ 花園:はなぞの 鶴見:つるみ 亀川:かめかわ "
    "星野:ほしの 竹林:たけばやし 梅田:うめだ みなと:みなと あすなろ:あすなろ ひばり:ひばり "
    "サンライズ:さんらいず ミライ:みらい アオゾラ:あおぞら"
)
ZH_BRANDS = (
    "华:Hua 东:Dong 海:Hai 金:Jin 宏:Hong 瑞:Rui 盛:Sheng 天:Tian 恒:Heng 嘉:Jia 信:Xin "
    "星:Xing 博:Bo 远:Yuan 泰:Tai 和:He 润:Run 德:De 康:Kang 云:Yun",
    "信:xin 达:da 通:tong 源:yuan 丰:feng 泰:tai 盛:sheng 隆:long 辉:hui 创:chuang 联:lian "
    "诚:cheng 翔:xiang 腾:teng 邦:bang 利:li 安:an 科:ke 宇:yu 凯:kai",
)
EN_BRANDS = (
    "Harbor Summit Cedar Granite Silver Maple North Blue Bright Stone River Lake Prairie "
    "Coast Pioneer Liberty Golden Copper Willow Falcon Beacon Canyon Orchard Meadow Anchor "
    "Compass Lantern Red Juniper Aspen",
    "bay ridge point field creek gate hill bridge valley crest grove peak haven path park",
)

KO_CITIES = (
    "서울:6 부산:3 인천:2 대구:2 대전:2 광주:2 수원:2 성남:2 울산 세종 고양 용인 창원 청주 "
    "전주 천안 제주 포항 김해 평택 안산 안양 원주 춘천 여수 구미"
)
JA_CITIES = (
    "東京都:6 大阪市:3 横浜市:3 名古屋市:2 福岡市:2 札幌市:2 神戸市:2 京都市:2 川崎市 "
    "さいたま市 広島市 仙台市 千葉市 北九州市 堺市 浜松市 新潟市 熊本市 岡山市 静岡市 "
    "鹿児島市 金沢市 長野市 松山市 那覇市"
)
ZH_CITIES = (
    "上海:5 北京:4 深圳:3 广州:3 杭州:2 苏州:2 南京:2 成都:2 武汉:2 重庆:2 天津 西安 宁波 "
    "无锡 青岛 长沙 郑州 东莞 佛山 合肥 厦门 福州 济南 大连 沈阳 昆明"
)
EN_CITIES = (
    "New_York:US:212 Los_Angeles:US:213 Chicago:US:312 Houston:US:713 Phoenix:US:602 "
    "Philadelphia:US:215 San_Antonio:US:210 San_Diego:US:619 Dallas:US:214 Austin:US:512 "
    "San_Jose:US:408 Columbus:US:614 Charlotte:US:704 Indianapolis:US:317 Seattle:US:206 "
    "Denver:US:303 Boston:US:617 Nashville:US:615 Portland:US:503 Las_Vegas:US:702 "
    "Detroit:US:313 Memphis:US:901 Baltimore:US:410 Milwaukee:US:414 Albuquerque:US:505 "
    "Tucson:US:520 Sacramento:US:916 Kansas_City:US:816 Atlanta:US:404 Miami:US:305 "
    "Oakland:US:510 Minneapolis:US:612 Tampa:US:813 Cleveland:US:216 Pittsburgh:US:412 "
    "Cincinnati:US:513 Orlando:US:407 Honolulu:US:808 San_Francisco:US:415 "
    "Salt_Lake_City:US:801 Toronto:CA:416 Vancouver:CA:604 Montreal:CA:514 Calgary:CA:403 "
    "Ottawa:CA:613"
)

KO_DEALS = (
    "{} 클라우드 전환",
    "{} 연간 유지보수 계약",
    "{} 신규 설비 도입",
    "{} 라이선스 갱신",
    "{} 보안 점검 서비스",
    "{} 물류 시스템 구축",
    "{} 사무기기 교체",
    "{} 데이터 분석 컨설팅",
)
JA_DEALS = (
    "{}様 クラウド移行",
    "{}様 年間保守契約",
    "{}様 新規設備導入",
    "{}様 ライセンス更新",
    "{}様 セキュリティ診断",
    "{}様 物流システム構築",
    "{}様 オフィス機器入替",
    "{}様 データ分析支援",
)
ZH_DEALS = (
    "{} 云平台迁移",
    "{} 年度维保合同",
    "{} 新设备采购",
    "{} 软件许可续订",
    "{} 安全检测服务",
    "{} 物流系统建设",
    "{} 办公设备更换",
    "{} 数据分析咨询",
)
EN_DEALS = (
    "Cloud migration for {}",
    "Annual maintenance for {}",
    "New equipment for {}",
    "License renewal for {}",
    "Security review for {}",
    "Logistics system for {}",
    "Office equipment for {}",
    "Data analysis for {}",
)
KO_TICKETS = (
    "로그인이 되지 않습니다",
    "배송이 지연되고 있습니다",
    "세금계산서 재발행을 요청합니다",
    "제품이 파손되어 도착했습니다",
    "사용 방법을 문의드립니다",
    "환불을 요청합니다",
    "담당자 변경을 부탁드립니다",
    "계약 내용을 확인하고 싶습니다",
    "화면이 느리게 열립니다",
    "방문 점검 일정을 잡고 싶습니다",
)
JA_TICKETS = (
    "ログインできません",
    "配送が遅れています",
    "請求書の再発行をお願いします",
    "商品が破損して届きました",
    "使い方について教えてください",
    "返金をお願いします",
    "担当者の変更をお願いします",
    "契約内容を確認したいです",
    "画面の表示が遅いです",
    "訪問点検の日程を相談したいです",
)
ZH_TICKETS = (
    "无法登录系统",
    "订单配送延误",
    "申请重新开具发票",
    "收到的商品有破损",
    "咨询产品使用方法",
    "申请退款",
    "请求更换负责人",
    "需要确认合同内容",
    "页面打开速度很慢",
    "预约上门检修时间",
)
EN_TICKETS = (
    "I cannot sign in",
    "My delivery is late",
    "Please send the invoice again",
    "The goods arrived damaged",
    "How do I use this feature?",
    "I would like a refund",
    "Please change our contact person",
    "A question about our contract",
    "Pages open slowly",
    "Please arrange a maintenance visit",
)
